/**
 * Kafka to RAW: the stream job with a declaration, against pipelines written for this one topic, by hand and
 * on Spark. Same topic, same broker.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { startBroker } from '../../src/host/kafka-broker.ts'
import { alternate, load, median, ratio, runCommand, type BenchReport, type Run } from './measure.ts'
import { startSparkRival, type SparkRival } from './rivals/spark.ts'
import type { BenchOptions } from './measure.ts'

const MESSAGES = Number(process.env.HEADRACE_TEST_MESSAGES ?? 1_000_000)
const NODE = [process.execPath, '--disable-warning=ExperimentalWarning']
/** What we start our own children with: the rival may have it too. */
const GC = ['--max-semi-space-size=1', '--heap-growing-percent=400']
const CLI = resolve('src/main/cli.ts')

export async function benchStream(options: BenchOptions): Promise<BenchReport> {
  const before = load()
  const work = mkdtempSync(join(tmpdir(), 'headrace-bench-'))
  let spark: SparkRival | undefined
  const broker = await startBroker({ folder: join(work, 'kafka'), fresh: true })
  const env = { ...process.env, HEADRACE_HOME: join(work, 'home'), HEADRACE_BROKERS: broker.address }
  try {
    await runCommand([...NODE, CLI, 'produce', 'books', '--count', String(MESSAGES), '-o', 'json'], env)
    const ours = (): Promise<Run> => {
      rmSync(join(work, 'home', 'tables'), { recursive: true, force: true })
      return runCommand([...NODE, CLI, 'stream', 'books', '--until-caught-up', '-o', 'json'], env)
    }
    const out = join(work, 'rival')
    const fresh = (): void =>
      [out, `${out}-checkpoint`].forEach((folder) => rmSync(folder, { recursive: true, force: true }))
    const node = (flags: string[], script: string) => (): Promise<Run> => {
      fresh()
      return runCommand(
        [
          ...NODE,
          ...flags,
          resolve(`test/performance/rivals/${script}`),
          broker.address,
          'book_data_topic',
          out,
        ],
        env,
      )
    }
    const onSpark = async (): Promise<Run> => {
      fresh()
      spark ??= await startSparkRival()
      return spark.run(`stream ${broker.address} book_data_topic ${out}`)
    }
    const rivals: Record<string, () => Promise<Run>> = {
      'hard-coded': node(GC, 'hard-coded-stream.ts'),
      saxes: node([], 'saxes-stream.ts'),
      spark: onSpark,
    }
    const report: BenchReport = { bench: 'stream', ratios: {}, figures: {}, load: [before, 0] }
    for (const [name, rival] of Object.entries(rivals).filter(
      ([candidate]) => options.rival === undefined || candidate === options.rival,
    )) {
      // Spark's first queries are several times slower: they do not count.
      if (name === 'spark') for (let i = 0; i < 2; i += 1) await rival()
      const runs = await alternate(options.pairs, ours, rival)
      describe(report, name, runs)
      spark?.close()
      spark = undefined
    }
    report.load[1] = load()
    return report
  } finally {
    spark?.close()
    await broker.kill()
    rmSync(work, { recursive: true, force: true })
  }
}

function describe(report: BenchReport, name: string, runs: { ours: Run[]; rival: Run[] }): void {
  const rate = (all: Run[]): number => Math.round(MESSAGES / median(all.map((run) => run.wallS)))
  const cpu = (all: Run[]): number =>
    Number(((median(all.map((run) => run.cpuS)) / MESSAGES) * 1e6).toFixed(1))
  const accepted = [runs.ours[0].result.accepted, runs.rival[0].result.accepted]
  if (accepted[0] !== accepted[1])
    throw new Error(`not the same rows out: ours ${accepted[0]}, ${name} ${accepted[1]}`)
  report.ratios[name] = ratio(runs, (run) => run.wallS)
  report.ratios[`${name} (CPU)`] = ratio(runs, (run) => run.cpuS)
  Object.assign(report.figures, {
    [`messages/s ours beside ${name}`]: rate(runs.ours),
    [`messages/s ${name}`]: rate(runs.rival),
    [`CPU-s per million ours beside ${name}`]: cpu(runs.ours),
    [`CPU-s per million ${name}`]: cpu(runs.rival),
    'rows accepted, by both': accepted[0],
  })
}
