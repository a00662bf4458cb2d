/**
 * Small datasets over a folder, run by the CLI: what was written, what landed and what was refused, by one
 * call.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { App } from '../../src/operations/app.ts'
import { createApp } from '../../src/main/app.ts'
import { cli, writeFileIn } from './system.ts'

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

/**
 * Streams the files until all is read. `select`: columns of the rows, in SQL; they come in the order of
 * `order`.
 */
export async function streamed(
  { declaration, files }: SmallDataset,
  select: string,
  order = 'ordinal',
): Promise<Landed> {
  const { home, where, cleanUp } = smallHome()
  for (const [name, content] of Object.entries(files)) writeFileIn(join(home, 'in'), name, content)
  const path = join(home, 'small.yaml')
  writeFileSync(path, `dataset: small\nsource:\n  files: { path: in, pattern: "*" }\n${declaration}\n`)
  const run = await cli(where, ['stream', path, '--until-caught-up'])
  const query = `SELECT ${select} FROM t WHERE outcome = 'accepted' ORDER BY ${order}`
  const [rows, rejects] = await inHome(home, async (app) => [
    await app.query('small/raw', query, undefined),
    await app.listQuarantine(path, { rule: undefined, limit: 1_000 }),
  ])
  return {
    code: run.code,
    said: run.stderr,
    rows,
    rejects: rejects as unknown as Landed['rejects'],
    home,
    cleanUp,
  }
}

/**
 * What the CLI's commands call, in this process: reading what landed must not cost the start of two programs
 * a dataset.
 */
async function inHome<T>(home: string, action: (app: App) => Promise<T>): Promise<T> {
  const before = process.env.HEADRACE_HOME
  process.env.HEADRACE_HOME = home
  try {
    return await action(createApp('test'))
  } finally {
    if (before === undefined) delete process.env.HEADRACE_HOME
    else process.env.HEADRACE_HOME = before
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
