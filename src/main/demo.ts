/**
 * The demo: every kind of trouble on purpose, and one reconciled table at the end. It drives the CLI's own commands as
 * child processes, so that what it shows is what a user runs; only the broker is started here.
 */
import { execFile, spawn } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { DemoOptions } from '../cli/demo.ts'
import { bytesText, type Output } from '../cli/output.ts'
import { failure } from '../core/errors.ts'
import { readJournal } from '../sample/journal.ts'
import { sampleMessage } from '../sample/library.ts'
import { homeFolder } from './home-folder.ts'
import { canRunBroker, startBroker, type Broker } from './kafka-broker.ts'
import { PACKAGE_ROOT } from './package-root.ts'

const run = promisify(execFile)
const ENTRY = join(PACKAGE_ROOT, 'src/main/cli.ts')

export async function runDemo(options: DemoOptions, out: Output): Promise<void> {
  const home = join(homeFolder(), 'demo')
  const withKafka = !options.files && (await canRunBroker())
  const broker = withKafka ? await beginBroker(home, out) : undefined
  if (broker === undefined) out.say('No Kafka broker: ' + (options.files ? 'asked for files.' : 'Java and Maven are not on this machine. The demo uses a folder of files instead.'))
  const env = { ...process.env, HEADRACE_HOME: home, ...(broker === undefined ? {} : { HEADRACE_BROKERS: broker.address }) }
  const dataset = broker === undefined ? 'books_files' : 'books'
  try {
    const report = await chain(options, out, dataset, env, home)
    out.rows(report)
    if (out.format === 'table') out.text(lookAt(home, dataset))
  } finally {
    await broker?.stop()
  }
}

async function beginBroker(home: string, out: Output): Promise<Broker> {
  out.say('Starting a Kafka broker (the first time its jars are fetched) ...')
  return startBroker({ folder: join(home, 'kafka') })
}

const ARRIVAL_S = 5

interface Freshness {
  p50: number
  p99: number
}

async function chain(options: DemoOptions, out: Output, dataset: string, env: NodeJS.ProcessEnv, home: string): Promise<Record<string, unknown>[]> {
  const files = dataset === 'books_files'
  const count = files ? Math.min(options.messages, 500) : options.messages
  const target = files ? ['--to', 'files', '--folder', join(home, 'incoming')] : []
  if (files) env.HEADRACE_FOLDER = join(home, 'incoming')
  out.say(`1. Producing ${count.toLocaleString('en-US')} messages, with duplicates, malformed, late and invalid ones ...`)
  const half = Math.ceil(count / 2)
  await cli(env, ['produce', dataset, '--count', String(half), ...target])
  out.say('2. Streaming into RAW; the job is killed (SIGKILL) in the middle, on purpose ...')
  // The other half arrives while the stream runs: there is a middle to be killed in, however fast it is.
  const producing = cli(env, ['produce', dataset, '--count', String(count - half), '--rate', String(Math.ceil(half / ARRIVAL_S)), ...target])
  const killed = await streamAndKill(env, dataset, out)
  await producing
  out.say(killed ? '   Killed. Starting it again: it goes on from the last commit.' : '   It was quicker than the kill; nothing was in the middle.')
  const started = Date.now()
  const stream = await cli(env, ['stream', dataset, '--until-caught-up'])
  const seconds = (Date.now() - started) / 1000
  out.say('3. The hourly batch publishes what is new ...')
  await cli(env, ['batch', dataset])
  out.say('4. A little more arrives; the batch runs again and finds only that ...')
  await cli(env, ['produce', dataset, '--count', String(Math.ceil(count / 20)), ...target])
  await cli(env, ['stream', dataset, '--until-caught-up'])
  const [again] = [await cli(env, ['batch', dataset])]
  const [nothing] = [await cli(env, ['batch', dataset])]
  return reconcile(env, dataset, home, { read: Number(stream.read), seconds, second: again, third: nothing })
}

/** A CLI command as a child, its JSON result parsed. */
async function cli(env: NodeJS.ProcessEnv, args: string[]): Promise<Record<string, unknown>> {
  try {
    const { stdout } = await run(process.execPath, ['--disable-warning=ExperimentalWarning', ENTRY, ...args, '-o', 'json'], { env, maxBuffer: 1 << 28 })
    return JSON.parse(stdout) as Record<string, unknown>
  } catch (error) {
    const { stderr } = error as { stderr?: string }
    throw failure('internal', { reason: `headrace ${args.join(' ')}: ${stderr?.trim() ?? String(error)}` }, error)
  }
}

/** Runs the stream in a process group of its own and kills the group after its first commit. */
async function streamAndKill(env: NodeJS.ProcessEnv, dataset: string, out: Output): Promise<boolean> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ENTRY, 'stream', dataset], { env, stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
  const committed = new Promise<void>((resolve) => child.stderr.on('data', (chunk: Buffer) => (/version \d+/.test(chunk.toString()) ? resolve() : undefined)))
  await Promise.race([committed, ended])
  if (child.exitCode !== null) return false
  await new Promise((resolve) => setTimeout(resolve, 300))
  out.progress('   killing the process group ...')
  try {
    process.kill(-(child.pid as number), 'SIGKILL')
  } catch {
    return false
  }
  return (await ended) === null
}

interface Facts {
  read: number
  seconds: number
  second: Record<string, unknown>
  third: Record<string, unknown>
}

/** What was acknowledged (the journal), what RAW and Processed hold, and whether they agree. */
async function reconcile(env: NodeJS.ProcessEnv, dataset: string, home: string, facts: Facts): Promise<Record<string, unknown>[]> {
  const expected = await expectation(join(home, 'journals', dataset === 'books' ? 'book_data_topic.tsv' : 'books_files-files.tsv'))
  const query = async (table: string, sql: string): Promise<Record<string, unknown>[]> => (await cli(env, ['tables', 'query', table, sql])) as unknown as Record<string, unknown>[]
  const raw = (await cli(env, ['tables', 'show', `${dataset}/raw`])) as { marks: Record<string, number>; files: number; bytes: number }
  const count = (name: string): number => raw.marks[`headrace/count/${name}`] ?? 0
  const [rawRows] = await query(`${dataset}/raw`, `SELECT count(*) FILTER (outcome = 'accepted') AS rows, count(DISTINCT record_id) AS ids FROM t`)
  const reasons = await query(`${dataset}/raw`, `SELECT reject_rule AS rule, count(*) AS n FROM t WHERE outcome = 'quarantined' AND reject_kind = 'record' GROUP BY 1 ORDER BY 2 DESC`)
  const published = await query(`${dataset}/processed`, 'SELECT publication_year AS year, count(*) AS n FROM t GROUP BY 1 ORDER BY 1')
  const processed = (await cli(env, ['tables', 'show', `${dataset}/processed`])) as { rows: number; files: number; bytes: number }
  const freshness = await freshnessOf(env, dataset)
  const yes = (good: boolean): string => (good ? 'yes' : 'NO')
  const distinct = new Set(expected.accepted).size
  return [
    { what: 'produced and acknowledged', messages: expected.messages, records: expected.records, agrees: '' },
    { what: 'read', records: count('read'), agrees: yes(count('read') === count('accepted') + count('duplicate') + count('quarantined')), note: '= accepted + duplicate + quarantined' },
    { what: '  accepted', records: count('accepted'), agrees: yes(count('accepted') === expected.accepted.length), note: 'the journal says so' },
    { what: '  duplicate (dropped)', records: count('duplicate'), agrees: '' },
    { what: '  quarantined', records: count('quarantined'), agrees: yes(count('quarantined') === expected.quarantined), note: 'the journal says so' },
    ...reasons.map((one) => ({ what: `    ${String(one.rule)}`, records: Number(one.n) })),
    { what: 'RAW rows', records: Number(rawRows.rows), agrees: yes(Number(rawRows.rows) === expected.accepted.length && Number(rawRows.ids) === distinct), note: `${raw.files} files, ${bytesText(raw.bytes)}` },
    { what: 'published rows', records: processed.rows, agrees: yes(processed.rows === distinct), note: `${processed.files} files, ${bytesText(processed.bytes)}` },
    ...published.map((one) => ({ what: `    publication_year=${String(one.year)}`, records: Number(one.n) })),
    { what: 'second batch published', records: Number(facts.second.published), note: 'only what was new' },
    { what: 'third batch', records: Number(facts.third.published), note: String(facts.third.state) },
    { what: 'rate after the kill', records: Math.round(facts.read / Math.max(facts.seconds, 0.001)), note: 'records a second, process start included' },
    { what: 'freshness p50 / p99', note: `${freshness.p50.toFixed(1)} s / ${freshness.p99.toFixed(1)} s from production to visible, backlog included` },
  ]
}

async function expectation(journal: string): Promise<{ messages: number; records: number; accepted: string[]; quarantined: number }> {
  const { header, lines } = await readJournal(journal)
  const made = lines.map((line) => sampleMessage(header.seed, line.index, header.shares))
  const accepted = made.flatMap((message) => message.accepted)
  const quarantined = made.reduce((sum, message) => sum + message.quarantined, 0)
  return { messages: lines.length, records: accepted.length + quarantined, accepted, quarantined }
}

async function freshnessOf(env: NodeJS.ProcessEnv, dataset: string): Promise<Freshness> {
  const versions = (await cli(env, ['tables', 'versions', `${dataset}/raw`, '--limit', '1000'])) as unknown as { time: string; details: { newestMs?: number } }[]
  const ages = versions.filter((one) => (one.details.newestMs ?? 0) > 0).map((one) => (Date.parse(one.time) - (one.details.newestMs as number)) / 1000).toSorted((a, b) => a - b)
  const at = (share: number): number => ages[Math.min(ages.length - 1, Math.floor(ages.length * share))] ?? 0
  return { p50: at(0.5), p99: at(0.99) }
}

function lookAt(home: string, dataset: string): string {
  const prefix = `HEADRACE_HOME=${home} ./headrace`
  return [
    '',
    'Look at it yourself:',
    `  ${prefix} tables list`,
    `  ${prefix} tables query ${dataset} 'SELECT title, author_name FROM t LIMIT 5'`,
    `  ${prefix} tables versions ${dataset}/raw`,
    `  ${prefix} quarantine list ${dataset}`,
    'Run ./headrace demo again: it carries on where this one ended.',
  ].join('\n')
}

