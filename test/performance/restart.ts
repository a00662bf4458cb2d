/** How soon after a start that follows a kill the first commit is there, while messages arrive steadily. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { startBroker } from '../../src/host/kafka-broker.ts'
import { load, median, runCommand, type BenchReport } from './measure.ts'
import type { BenchOptions } from './measure.ts'

const PROMISED_MS = 2_000
const NODE = ['--disable-warning=ExperimentalWarning', resolve('src/main/cli.ts')]

export async function benchRestart(options: BenchOptions): Promise<BenchReport> {
  const before = load()
  const work = mkdtempSync(join(tmpdir(), 'headrace-bench-'))
  const broker = await startBroker({ folder: join(work, 'kafka'), fresh: true })
  const env = { ...process.env, HEADRACE_HOME: join(work, 'home'), HEADRACE_BROKERS: broker.address }
  const declaration = join(work, 'books.yaml')
  writeFileSync(
    declaration,
    `${readFileSync('datasets/books.yaml', 'utf8')}\nstream: { commit_interval_ms: 250 }\n`,
  )
  const run = (...args: string[]): ReturnType<typeof spawn> =>
    spawn(process.execPath, [...NODE, ...args], { env, stdio: 'ignore', detached: true })
  const log = join(work, 'home/tables/books/raw/_delta_log')
  const versions = (): number => {
    try {
      return readdirSync(log).filter((name) => name.endsWith('.json')).length
    } catch {
      return 0
    }
  }
  // The topic must be there before the first start.
  await runCommand([process.execPath, ...NODE, 'produce', declaration, '--count', '100', '-o', 'json'], env)
  const producer = run('produce', declaration, '--count', '1000000', '--rate', '500')
  const times: number[] = []
  try {
    for (let kill = 0; kill <= options.pairs; kill += 1) {
      const known = versions()
      const started = performance.now()
      const job = run('stream', declaration)
      // The first start also makes the table and its first mark: it is not counted.
      while (versions() <= (kill === 0 ? 3 : known)) await new Promise((done) => setTimeout(done, 5))
      if (kill > 0) times.push(performance.now() - started)
      await new Promise((done) => setTimeout(done, 800 + 40 * kill))
      process.kill(-(job.pid as number), 'SIGKILL')
      await new Promise((done) => job.on('exit', done))
    }
  } finally {
    process.kill(-(producer.pid as number), 'SIGKILL')
    await broker.kill()
    rmSync(work, { recursive: true, force: true })
  }
  const figures = {
    'median ms': Math.round(median(times)),
    'slowest ms': Math.round(Math.max(...times)),
    kills: times.length,
  }
  return {
    bench: 'restart',
    ratios: { 'promised / median': Number((PROMISED_MS / median(times)).toFixed(2)) },
    figures,
    load: [before, load()],
  }
}
