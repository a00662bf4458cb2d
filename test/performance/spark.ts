/**
 * The stream on Spark against Spark's own streaming job, on the same topic, both warm: rows a second. And
 * against ourselves: one embedded process, and from how many cores on Spark is quicker than it, measured on
 * few cores and projected to more.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createLocalStore } from '../../src/lakehouse/stores/local.ts'
import { history } from '../../src/lakehouse/versions.ts'
import { startBroker } from '../../src/host/kafka-broker.ts'
import { startSparkServer, type SparkServer } from '../../src/host/spark-server.ts'
import { alternate, load, median, ratio, runCommand, type BenchReport, type Run } from './measure.ts'
import { startSparkRival } from './rivals/spark.ts'
import type { BenchOptions } from './measure.ts'

const MESSAGES = Number(process.env.HEADRACE_TEST_MESSAGES ?? 400_000)
const NODE = [process.execPath, '--disable-warning=ExperimentalWarning', resolve('src/main/cli.ts')]
/** Batches whose times the projection is fitted to, and one that it has to foretell. */
const FITTED = [25_000, 200_000]
const FORETOLD = 100_000

export async function benchSpark(options: BenchOptions): Promise<BenchReport> {
  const before = load()
  const work = mkdtempSync(join(tmpdir(), 'headrace-bench-'))
  const broker = await startBroker({ folder: join(work, 'kafka'), fresh: true })
  const env = { ...process.env, HEADRACE_HOME: join(work, 'home'), HEADRACE_BROKERS: broker.address }
  const report: BenchReport = { bench: 'spark', ratios: {}, figures: {}, load: [before, 0] }
  try {
    await runCommand([...NODE, 'produce', 'books', '--count', String(MESSAGES), '-o', 'json'], env)
    const server = await startSparkServer({ folder: join(work, 'spark'), master: 'local[2]', memory: '4g' })
    const ours = onSpark(work, env, server)
    await againstStreaming({ report, work, address: broker.address, ours, options })
    await againstEmbedded(report, work, env, ours)
    await server.kill()
    report.load[1] = load()
    return report
  } finally {
    await broker.kill()
    rmSync(work, { recursive: true, force: true })
  }
}

/**
 * Runs the stream job on a server that stays, so that it is warm; its CPU is the server's, its tasks' and our
 * processes'.
 */
function onSpark(
  work: string,
  env: NodeJS.ProcessEnv,
  server: SparkServer,
): (batchMessages?: number) => Promise<Run> {
  const tokenFile = join(work, 'token')
  writeFileSync(tokenFile, server.token)
  return async (batchMessages = 200_000) => {
    rmSync(join(work, 'home', 'tables'), { recursive: true, force: true })
    const declaration = join(work, 'books.yaml')
    writeFileSync(
      declaration,
      `${readFileSync('datasets/books.yaml', 'utf8')}\nspark: { batch_messages: ${batchMessages} }\n`,
    )
    const cpu = processCpuS(server.pid)
    const run = await runCommand(
      [...NODE, 'stream', declaration, '--until-caught-up', '--connect', server.address, '-o', 'json'],
      { ...env, HEADRACE_SPARK_TOKEN_FILE: tokenFile },
    )
    return { ...run, cpuS: run.cpuS + processCpuS(server.pid) - cpu }
  }
}

/** User and system time of a process and of its children that ended, in seconds. */
function processCpuS(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100
}

async function againstStreaming({
  report,
  work,
  address,
  ours,
  options,
}: {
  report: BenchReport
  work: string
  address: string
  ours(): Promise<Run>
  options: BenchOptions
}): Promise<void> {
  if (options.rival !== undefined && options.rival !== 'structured-streaming') return
  const rival = await startSparkRival()
  const out = join(work, 'rival')
  const streaming = async (): Promise<Run> => {
    for (const folder of [out, `${out}-checkpoint`]) rmSync(folder, { recursive: true, force: true })
    return rival.run(`stream ${address} book_data_topic ${out}`)
  }
  // The first runs of a JVM are several times slower: they do not count, on either side.
  for (let i = 0; i < 2; i += 1) {
    await streaming()
    await ours()
  }
  const runs = await alternate(options.pairs, ours, streaming)
  rival.close()
  if (runs.ours[0].result.accepted !== runs.rival[0].result.accepted)
    throw new Error(
      `not the same rows out: ours ${runs.ours[0].result.accepted}, structured streaming ${runs.rival[0].result.accepted}`,
    )
  report.ratios['structured-streaming'] = ratio(runs, (run) => run.wallS)
  report.ratios['structured-streaming (CPU)'] = ratio(runs, (run) => run.cpuS)
  const rate = (all: Run[]): number => Math.round(MESSAGES / median(all.map((run) => run.wallS)))
  Object.assign(report.figures, {
    'messages/s ours on Spark, start of the job included': rate(runs.ours),
    'messages/s structured streaming, its query alone': rate(runs.rival),
    'rows accepted, by both': runs.ours[0].result.accepted,
  })
}

interface Batch {
  units: number
  ms: number
}

/** What the job's commits say of its full batches. */
async function batchesOf(work: string, least: number): Promise<Batch[]> {
  const versions = await history(createLocalStore(join(work, 'home/tables/books/raw')), 500)
  return versions
    .map((version) => version.commit?.headrace?.work as Batch | undefined)
    .filter((batch) => batch !== undefined && batch.units >= least) as Batch[]
}

/**
 * Time of a batch of m messages on n cores: a + b * m / n. a and b are fitted to two sizes on two cores, and
 * have to foretell a third size; what they miss it by is the projection's error.
 */
async function againstEmbedded(
  report: BenchReport,
  work: string,
  env: NodeJS.ProcessEnv,
  ours: (batchMessages: number) => Promise<Run>,
): Promise<void> {
  const timeOf = async (size: number): Promise<Batch> => {
    await ours(size)
    const batches = await batchesOf(work, size * 0.9)
    return {
      units: median(batches.map((batch) => batch.units)),
      ms: median(batches.map((batch) => batch.ms)),
    }
  }
  const [small, large] = [await timeOf(FITTED[0]), await timeOf(FITTED[1])]
  const cores = 2
  const b = ((large.ms - small.ms) / (large.units - small.units)) * cores
  const a = small.ms - (b * small.units) / cores
  const held = await timeOf(FORETOLD)
  const error = Math.abs((a + (b * held.units) / cores - held.ms) / held.ms)
  rmSync(join(work, 'home', 'tables'), { recursive: true, force: true })
  const embedded = await runCommand([...NODE, 'stream', 'books', '--until-caught-up', '-o', 'json'], env)
  const rate = MESSAGES / (embedded.wallS - START_S)
  // A batch of m messages is as quick as the embedded process when a + b * m / n = m / rate.
  const volume = (n: number): number | string => {
    const left = 1 - (b * rate) / 1000 / n
    return left <= 0 ? 'never' : Math.ceil((a * rate) / 1000 / left)
  }
  Object.assign(report.figures, {
    'messages/s embedded, one process on 2 cores': Math.round(rate),
    'batch on Spark: fixed cost in ms': Math.round(a),
    'batch on Spark: messages/s and core': Math.round(1000 / b),
    'messages/s on Spark, 2 cores, batches of 200,000': Math.round(
      (200_000 / (a + (b * 200_000) / cores)) * 1000,
    ),
    ...Object.fromEntries(
      [2, 4, 8, 16].map((n) => [
        `messages a batch from which Spark on ${n} cores is quicker than one embedded process (projected)`,
        volume(n),
      ]),
    ),
    'error of the projection at a size it was not fitted to': `${(error * 100).toFixed(0)} %`,
  })
}

/** Start of an embedded job before its first message: it is no part of a rate. */
const START_S = 0.7
