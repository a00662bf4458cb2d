/** Small datasets over a folder, run by the CLI: what was written, what landed and what was refused, by one call. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cli, cliJson, writeFileIn } from './system.ts'

export interface SmallDataset {
  /** Everything of the declaration but its name, source and processed zone. */
  declaration: string
  files: Record<string, string | Buffer>
}

export interface Landed {
  code: number
  /** What the stream said on the way. */
  said: string
  rows: Record<string, unknown>[]
  rejects: { kind: string; rule: string; path: string; value: string; reason: string }[]
  home: string
  cleanUp(): void
}

export interface SmallHome {
  home: string
  where: { env: NodeJS.ProcessEnv }
  cleanUp(): void
}

/** An empty home folder with what the CLI needs to work in it. */
export function smallHome(): SmallHome {
  const home = mkdtempSync(join(tmpdir(), 'headrace-small-'))
  const where = { env: { ...process.env, HEADRACE_HOME: home, HEADRACE_LOG: 'warn' } }
  return { home, where, cleanUp: () => rmSync(home, { recursive: true, force: true }) }
}

/** Streams the files until all is read. `select`: columns of the rows, in SQL; they come in the order of `order`. */
export async function streamed({ declaration, files }: SmallDataset, select: string, order = 'ordinal'): Promise<Landed> {
  const { home, where, cleanUp } = smallHome()
  for (const [name, content] of Object.entries(files)) writeFileIn(join(home, 'in'), name, content)
  const path = join(home, 'small.yaml')
  writeFileSync(path, `dataset: small\nsource:\n  files: { path: in, pattern: "*" }\n${declaration}\n`)
  const run = await cli(where, ['stream', path, '--until-caught-up'])
  const query = `SELECT ${select} FROM t WHERE outcome = 'accepted' ORDER BY ${order}`
  return {
    code: run.code,
    said: run.stderr,
    rows: await cliJson<Record<string, unknown>[]>(where, ['tables', 'query', 'small/raw', query]),
    rejects: await cliJson<Landed['rejects']>(where, ['quarantine', 'list', path]),
    home,
    cleanUp,
  }
}

/** Mistakes that `dataset check` finds in a declaration; empty when it takes it. */
export async function mistakesIn(declaration: string): Promise<string> {
  const { home, where, cleanUp } = smallHome()
  const path = join(home, 'small.yaml')
  writeFileSync(path, `dataset: small\nsource:\n  files: { path: in, pattern: "*" }\n${declaration}\n`)
  const run = await cli(where, ['dataset', 'check', path])
  cleanUp()
  return run.code === 0 ? '' : `${run.stdout}${run.stderr}`
}
