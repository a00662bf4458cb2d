/** A small dataset over a folder, in a home of its own, with what the CLI's commands call in this process. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { App, BatchOptions } from '../../src/operations/app.ts'
import { createApp } from '../../src/main/app.ts'
import { smallHome } from './small-datasets.ts'

const silent = (): void => undefined
const MEMORY = { engine: {}, memoryBytes: 1 << 30, dryRun: false, say: silent }

/** What compaction, vacuum, retention, deletion and reprocessing are given, unless a test says otherwise. */
export const UPKEEP = { ...MEMORY, keepFrom: undefined, graceMs: 0 }

export interface SmallApp {
  app: App
  home: string
  /** Of the declaration. */
  path: string
  raw: string
  processed: string
  /** Puts a file of these lines into the folder `in`, each a record or a text. */
  write(lines: unknown[]): void
  /** Streams all that is there. */
  stream(): Promise<void>
  batch(more?: Partial<BatchOptions>): ReturnType<App['batch']>
  /** Also lets the environment be as it was. */
  cleanUp(): void
}

/** `tables`: their root, where it is not in the home folder. */
export function openSmallApp(declaration: string, tables?: string): SmallApp {
  const { home, cleanUp } = smallHome()
  const dataset = /^dataset: (\w+)$/m.exec(declaration)?.[1]
  const root = tables ?? join(home, 'tables')
  const before = process.env
  process.env = { ...before, HEADRACE_HOME: home, HEADRACE_LOG: 'warn', HEADRACE_TABLES: root }
  mkdirSync(join(home, 'in'))
  const path = join(home, `${dataset}.yaml`)
  writeFileSync(path, declaration)
  const app = createApp('test')
  let files = 0
  return {
    app,
    home,
    path,
    raw: `${root}/${dataset}/raw`,
    processed: `${root}/${dataset}/processed`,
    write(lines) {
      files += 1
      const texts = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)))
      writeFileSync(join(home, 'in', `${files}.ndjson`), texts.join('\n'))
    },
    async stream() {
      const { signal } = new AbortController()
      const until = { untilCaughtUp: true, metricsPort: undefined, signal }
      await app.stream(path, { engine: {}, ...until, onCommit: silent, say: silent })
    },
    batch: (more = {}) => app.batch(path, { ...MEMORY, hold: [], release: [], ...more }),
    cleanUp() {
      process.env = before
      cleanUp()
    },
  }
}
