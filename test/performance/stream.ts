/** Kafka to RAW: the stream job with a declaration, against a pipeline written by hand for this one topic. Same topic, same broker. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { startBroker } from '../../src/main/kafka-broker.ts'
import type { BenchOptions } from './bench.ts'
import { alternate, load, median, ratio, runCommand, type BenchReport, type Run } from './measure.ts'

const MESSAGES = Number(process.env.HEADRACE_MESSAGES ?? 1_000_000)
const NODE = [process.execPath, '--disable-warning=ExperimentalWarning']
/** What we start our own children with: the rival may have it too. */
const GC = ['--max-semi-space-size=1', '--heap-growing-percent=400']
const CLI = resolve('src/main/cli.ts')

export async function benchStream(options: BenchOptions): Promise<BenchReport> {
  const before = load()
  const work = mkdtempSync(join(tmpdir(), 'headrace-bench-'))
  const broker = await startBroker({ folder: join(work, 'kafka'), fresh: true })
  const env = { ...process.env, HEADRACE_HOME: join(work, 'home'), HEADRACE_BROKERS: broker.address }
  try {
    await runCommand([...NODE, CLI, 'produce', 'books', '--count', String(MESSAGES), '-o', 'json'], env)
    const ours = (): Promise<Run> => {
      rmSync(join(work, 'home', 'tables'), { recursive: true, force: true })
      return runCommand([...NODE, CLI, 'stream', 'books', '--until-caught-up', '-o', 'json'], env)
    }
    const rival = (): Promise<Run> => {
      rmSync(join(work, 'hand'), { recursive: true, force: true })
      return runCommand([...NODE, ...GC, resolve('test/performance/rivals/hard-coded-stream.ts'), broker.address, 'book_data_topic', join(work, 'hand')], env)
    }
    const runs = await alternate(options.pairs, ours, rival)
    const rate = (all: Run[]): number => Math.round(MESSAGES / median(all.map((run) => run.wallS)))
    const cpu = (all: Run[]): number => Number(((median(all.map((run) => run.cpuS)) / MESSAGES) * 1e6).toFixed(1))
    return {
      bench: 'stream',
      ratios: { 'hard-coded': ratio(runs, (run) => run.wallS), 'hard-coded (CPU)': ratio(runs, (run) => run.cpuS) },
      figures: { 'messages/s ours': rate(runs.ours), 'messages/s hard-coded': rate(runs.rival), 'CPU-s per million ours': cpu(runs.ours), 'CPU-s per million hard-coded': cpu(runs.rival), 'accepted ours': runs.ours[0].result.accepted, 'accepted hard-coded': runs.rival[0].result.accepted },
      load: [before, load()],
    }
  } finally {
    await broker.kill()
    rmSync(work, { recursive: true, force: true })
  }
}
