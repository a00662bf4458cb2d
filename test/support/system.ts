/**
 * Real parts for system tests: one broker for all files, CLI runs as child processes, and an independent
 * reader of tables.
 */
import { limitMs } from './time-limits.ts'
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { startBroker, type Broker, type BrokerOptions } from '../../src/host/kafka-broker.ts'
import { readJournal } from '../../src/sample/journal.ts'
import { killAtEnd } from './at-end.ts'
import { sampleMessage } from '../../src/sample/library.ts'

const run = promisify(execFile)
export const ENTRY = resolve('src/main/cli.ts')
export const PYTHON = resolve('.headrace/test-venv/bin/python')

const brokers = new Set<number>()
killAtEnd(brokers)

/** A broker of the test's own, ended with the process at the latest. */
export async function ownBroker(options: BrokerOptions): Promise<Broker> {
  const made = await startBroker(options)
  brokers.add(made.pid)
  const gone = (end: () => Promise<void>) => async (): Promise<void> => {
    brokers.delete(made.pid)
    await end()
  }
  return { ...made, stop: gone(made.stop), kill: gone(made.kill) }
}

let shared: Promise<Broker> | undefined

/** The broker that all system tests share; each test uses topics of its own. */
export function broker(): Promise<Broker> {
  shared ??= ownBroker({ folder: mkdtempSync(join(tmpdir(), 'headrace-broker-')), fresh: true })
  return shared
}

export interface Place {
  home: string
  topic: string
  declaration: string
  env: NodeJS.ProcessEnv
  raw: string
  processed: string
  journal: string
  cleanUp(): void
}

let places = 0

/** A home of its own with a dataset of its own: `books` with another topic, changed by `edit`. */
export function place(address: string, edit: (yaml: string) => string = (yaml) => yaml): Place {
  const home = mkdtempSync(join(tmpdir(), 'headrace-home-'))
  places += 1
  const topic = `t${process.pid}-${places}-${Math.floor(performance.now())}`
  const declaration = join(home, 'books.yaml')
  const yaml = readFileSync('datasets/books.yaml', 'utf8')
    .replace('book_data_topic', topic)
    .replace('localhost:9092', address)
  writeFileSync(declaration, edit(yaml))
  return {
    home,
    topic,
    declaration,
    env: { ...process.env, HEADRACE_HOME: home, HEADRACE_LOG: 'warn' },
    raw: join(home, 'tables/books/raw'),
    processed: join(home, 'tables/books/processed'),
    journal: join(home, 'journals', `${topic}.tsv`),
    cleanUp: () => rmSync(home, { recursive: true, force: true }),
  }
}

export interface CliResult {
  code: number
  stdout: string
  stderr: string
}

/** Runs the CLI to its end. */
export async function cli(
  where: Pick<Place, 'env'>,
  args: string[],
  more: NodeJS.ProcessEnv = {},
): Promise<CliResult> {
  try {
    const { stdout, stderr } = await run(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', ENTRY, ...args],
      {
        env: { ...where.env, ...more },
        maxBuffer: 1 << 28,
        timeout: limitMs(300_000),
        killSignal: 'SIGKILL',
      },
    )
    return { code: 0, stdout, stderr }
  } catch (error) {
    const failed = error as { code?: number; signal?: string; stdout: string; stderr: string }
    return {
      code: typeof failed.code === 'number' ? failed.code : -1,
      stdout: failed.stdout,
      stderr: failed.stderr,
    }
  }
}

/** Runs the CLI with -o json and returns what it printed; throws with its error when it failed. */
export async function cliJson<T = Record<string, unknown>>(
  where: Pick<Place, 'env'>,
  args: string[],
  more: NodeJS.ProcessEnv = {},
): Promise<T> {
  const { code, stdout, stderr } = await cli(where, [...args, '-o', 'json'], more)
  if (code !== 0) throw new Error(`headrace ${args.join(' ')}: exit ${code}\n${stderr}`)
  return JSON.parse(stdout) as T
}

/** Starts the CLI in a process group of its own, so that all of it can be killed. */
/** `under`: a command that runs it, strace for example. */
export function startCli(
  where: Pick<Place, 'env'>,
  args: string[],
  more: NodeJS.ProcessEnv = {},
  under: string[] = [],
): ChildProcess & { ended: Promise<number | null>; errors: () => string } {
  const [command, ...rest] = [
    ...under,
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    ENTRY,
    ...args,
  ]
  const child = spawn(command, rest, {
    env: { ...where.env, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  child.stdout.on('data', () => undefined)
  const ended = new Promise<number | null>((done) => child.on('exit', (code) => done(code)))
  return Object.assign(child, { ended, errors: () => errors })
}

export function killGroup(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(-(child.pid as number), signal)
  } catch {
    // It is gone already.
  }
}

/** Process ids of the direct children, from /proc. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => {
      try {
        return Number(readFileSync(`/proc/${candidate}/stat`, 'utf8').split(') ')[1].split(' ')[1]) === pid
      } catch {
        return false
      }
    })
}

/** Never by way of Spark, whatever the declaration says: a test of Spark needs a witness that is not. */
export function produce(where: Place, count: number, more: string[] = []): Promise<Record<string, unknown>> {
  return cliJson(where, [
    'produce',
    where.declaration,
    '--engine',
    'duckdb',
    '--count',
    String(count),
    ...more,
  ])
}

export interface Expected {
  messages: number
  /** Ids of books that must be in RAW, each once. */
  accepted: Set<string>
  quarantined: number
}

/**
 * What the journal of acknowledged messages says must be there: made again from the seed, not asked of us.
 */
export async function expected(where: Place): Promise<Expected> {
  const { header, lines } = await readJournal(where.journal)
  const made = lines.map((line) => sampleMessage(header.seed, line.index, header.shares))
  return {
    messages: lines.length,
    accepted: new Set(made.flatMap((message) => message.accepted)),
    quarantined: made.reduce((sum, message) => sum + message.quarantined, 0),
  }
}

/**
 * Runs Python over a table with deltalake; `code` gets `t` (the table as Arrow) and prints JSON. Ends without
 * clean-up, which aborts at times.
 */
export async function deltalake<T>(path: string, code: string): Promise<T> {
  const script = `import sys, json, deltalake\ndt = deltalake.DeltaTable(sys.argv[1])\nt = dt.to_pyarrow_table()\n${code}\nsys.stdout.flush()\nimport os\nos._exit(0)`
  const { stdout } = await run(PYTHON, ['-c', script, path], { maxBuffer: 1 << 28 })
  return JSON.parse(stdout) as T
}

/** Streams until nothing is left to read; returns the counts of the run. */
export const catchUp = (where: Place): Promise<Record<string, number>> =>
  cliJson(where, ['stream', where.declaration, '--until-caught-up'])

/** The version of RAW's last commit, by its log alone; -1 before the first. */
export const lastVersion = (where: Place): number =>
  existsSync(`${where.raw}/_delta_log`)
    ? Math.max(
        -1,
        ...readdirSync(`${where.raw}/_delta_log`).map((name) =>
          Number(/^(\d{20})\.json$/.exec(name)?.[1] ?? -1),
        ),
      )
    : -1

/**
 * The independent verdict on RAW: identities lost and doubled, by comparing deltalake's reading with the
 * journal.
 */
export async function verdict(
  where: Place,
): Promise<{ lost: number; doubled: number; foreign: number; quarantined: number; rows: number }> {
  const found = await deltalake<{ ids: string[]; identities: number; rows: number; quarantined: number }>(
    where.raw,
    `
import pyarrow.compute as pc
a = t.filter(pc.equal(t['outcome'], 'accepted'))
q = t.filter(pc.and_(pc.equal(t['outcome'], 'quarantined'), pc.equal(t['reject_kind'], 'record')))
identity = set(zip(a['topic_id'].to_pylist(), a['kafka_partition'].to_pylist(), a['kafka_offset'].to_pylist(), a['ordinal'].to_pylist()))
print(json.dumps({'ids': a['record_id'].to_pylist(), 'identities': len(identity), 'rows': a.num_rows, 'quarantined': q.num_rows}))`,
  )
  const want = await expected(where)
  const got = new Set(found.ids)
  return {
    lost: [...want.accepted].filter((id) => !got.has(id)).length,
    doubled: found.ids.length - got.size + (found.rows - found.identities),
    foreign: [...got].filter((id) => !want.accepted.has(id)).length,
    quarantined: found.quarantined - want.quarantined,
    rows: found.rows,
  }
}

export const PERFECT = { lost: 0, doubled: 0, foreign: 0, quarantined: 0 }

/** Resident memory of a process and all below it, in bytes. */
export function treeMemory(pid: number): number {
  let own = 0
  try {
    own = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
  return childrenOf(pid).reduce((sum, child) => sum + treeMemory(child), own)
}

export const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

/** Polls until the answer is there; the time-out grows with the machine's load (time-limits.ts). */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 60_000,
): Promise<T> {
  for (const end = Date.now() + limitMs(timeoutMs); Date.now() < end; await sleep(100)) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
  }
  throw new Error(`waited ${limitMs(timeoutMs)} ms for ${what}`)
}

export function writeFileIn(folder: string, name: string, text: string | Buffer): string {
  const path = join(folder, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}
