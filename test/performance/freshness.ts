/**
 * Age of messages when readers can see them: produced at a steady rate, committed each second, measured from
 * RAW itself.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { spawn } from 'node:child_process'
import { startBroker } from '../../src/host/kafka-broker.ts'
import { openSession } from '../../src/engines/duckdb/session.ts'
import { load, runCommand, type BenchReport, type Run } from './measure.ts'

const SECONDS = Number(process.env.HEADRACE_TEST_SECONDS ?? 60)
/** Messages of the run that finds the top rate. */
const BACKLOG_S = 50
const NODE = ['--disable-warning=ExperimentalWarning', resolve('src/main/cli.ts')]

export async function benchFreshness(): Promise<BenchReport> {
  const before = load()
  const work = mkdtempSync(join(tmpdir(), 'headrace-bench-'))
  const broker = await startBroker({ folder: join(work, 'kafka'), fresh: true })
  const env = { ...process.env, HEADRACE_HOME: join(work, 'home'), HEADRACE_BROKERS: broker.address }
  const declaration = join(work, 'books.yaml')
  writeFileSync(
    declaration,
    `${readFileSync('datasets/books.yaml', 'utf8')}\nstream: { commit_interval_ms: 1000 }\n`,
  )
  const stream = (...more: string[]): ReturnType<typeof spawn> =>
    spawn(process.execPath, [...NODE, 'stream', declaration, ...more], { env, stdio: 'ignore' })
  const producer = (rate: number, seconds: number): Promise<Run> =>
    runCommand(
      [
        process.execPath,
        ...NODE.slice(0, 1),
        resolve('test/performance/steady-producer.ts'),
        broker.address,
        'book_data_topic',
        String(rate),
        String(seconds),
      ],
      env,
    )
  try {
    await producer(0, BACKLOG_S)
    const { wallS } = await runCommand(
      [process.execPath, ...NODE, 'stream', declaration, '--until-caught-up', '-o', 'json'],
      env,
    )
    const top = (BACKLOG_S * 10_000) / wallS
    rmSync(join(work, 'home/tables'), { recursive: true })
    writeFileSync(declaration, readFileSync(declaration, 'utf8').replace('start: earliest', 'start: latest'))
    const job = stream()
    await new Promise((done) => setTimeout(done, 3_000))
    const { result } = await producer(Math.round(top / 2), SECONDS + 10)
    job.kill('SIGTERM')
    await new Promise((done) => job.on('exit', done))
    const { p50, p99, messages } = await ages(join(work, 'home/tables/books/raw'))
    return {
      bench: 'freshness',
      ratios: { 'p99 / interval': Number(p99.toFixed(2)) },
      figures: {
        'p50 s': Number(p50.toFixed(2)),
        'p99 s': Number(p99.toFixed(2)),
        messages,
        'top messages/s': Math.round(top),
        'messages/s offered': result.perSecond,
      },
      load: [before, load()],
    }
  } finally {
    await broker.kill()
    rmSync(work, { recursive: true, force: true })
  }
}

/**
 * From each message's own time to the time its commit's log entry was made; the first ten seconds are
 * warm-up.
 */
async function ages(raw: string): Promise<{ p50: number; p99: number; messages: number }> {
  const { openTable } = await import('../../src/lakehouse/table.ts')
  const { createLocalStore } = await import('../../src/lakehouse/stores/local.ts')
  const { history } = await import('../../src/lakehouse/versions.ts')
  const store = createLocalStore(raw)
  await openTable(store)
  const session = await openSession({ memoryBytes: 1 << 30, threads: 2, spillFolder: `${raw}-spill` })
  await session.run('CREATE TABLE ages (age DOUBLE)')
  const versions = (await history(store, 10_000)).filter((version) => version.added.length > 0).toReversed()
  const start = versions[0].commit?.timestamp ?? 0
  for (const version of versions) {
    // The entry's own file time is when readers could first see it.
    const visible =
      (await store.stat(`_delta_log/${String(version.version).padStart(20, '0')}.json`))?.modifiedMs ?? 0
    if (visible < start + 10_000) continue
    for (const file of version.added)
      await session.run(
        `INSERT INTO ages SELECT (${visible} - epoch_ms(message_time)) / 1000 FROM read_parquet('${join(raw, file.path)}') WHERE ordinal <= 0`,
      )
  }
  const [[p50, p99, messages]] = await session.rows(
    'SELECT quantile_cont(age, 0.5), quantile_cont(age, 0.99), count(*)::INTEGER FROM ages',
  )
  await session.close()
  return { p50: Number(p50), p99: Number(p99), messages: Number(messages) }
}
