/**
 * The hourly batch over a delta of one million rows and 5 (or HEADRACE_TEST_PUBLISHED) million published keys,
 * against a bare scan and partitioned write without dedup, and against the best hand-written DuckDB query of
 * equal result.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { sourceMark } from '../../src/core/marks.ts'
import { openSession } from '../../src/engines/duckdb/session.ts'
import { loadDataset } from '../../src/operations/datasets.ts'
import { openRaw } from '../../src/operations/raw-table.ts'
import { alternate, load, median, ratio, runCommand, type BenchReport, type Run } from './measure.ts'
import { startSparkRival, type SparkRival } from './rivals/spark.ts'
import type { BenchOptions } from './measure.ts'

const PUBLISHED = Number(process.env.HEADRACE_TEST_PUBLISHED ?? 5_000_000)
const DELTA = 1_000_000
const NODE = [process.execPath, '--disable-warning=ExperimentalWarning']
const CLI = resolve('src/main/cli.ts')

/**
 * Rows of RAW made in SQL: a key space in which 28 % of the delta's keys are published and 6 % repeat within
 * it.
 */
function rowsSql(from: number, count: number): string {
  return `SELECT printf('%s-%s-4%s-8%s-%s', substr(h, 1, 8), substr(h, 9, 4), substr(h, 13, 3), substr(h, 16, 3), substr(h, 19, 12)) AS record_id,
    'The book of ' || (n % 1000) || ' rivers, volume ' || (n % 40) AS title, 'Author ' || (n % 5000) AS author_name, 'Country ' || (n % 20) AS author_country,
    (2000 + n % 24)::INTEGER AS publication_year, substr(h, 1, 30) AS message_id, substr(h, 1, 30) AS message_key, NULL::VARCHAR AS message_headers,
    'bench' AS topic, 'bench' AS topic_id, 0::INTEGER AS kafka_partition, n::BIGINT AS kafka_offset, 0::INTEGER AS ordinal, now()::TIMESTAMPTZ AS message_time,
    now()::TIMESTAMPTZ AS ingest_time, 0::INTEGER AS content_hash, NULL::VARCHAR AS reject_kind, NULL::VARCHAR AS reject_rule, NULL::VARCHAR AS reject_path,
    NULL::VARCHAR AS reject_value, NULL::VARCHAR AS reject_reason, NULL::BLOB AS original
    FROM (SELECT n, md5(n::VARCHAR) AS h FROM (SELECT ${from} + (range * 0.944)::BIGINT AS n FROM range(${count})))`
}

export async function fill(home: string, from: number, count: number, version: number): Promise<void> {
  process.env.HEADRACE_HOME = home
  const loaded = await loadDataset('books')
  const { table } = await openRaw(loaded.dataset, loaded.rawPath, Date.now())
  const session = await openSession({ memoryBytes: 2 << 30, threads: 2, spillFolder: join(home, 'spill') })
  const adds = []
  for (let at = 0; at < count; at += 250_000) {
    const path = `data/bench/${version}-${at}.parquet`
    mkdirSync(join(loaded.rawPath, 'data/bench'), { recursive: true })
    await session.run(
      `COPY (${rowsSql(from + Math.floor(at * 0.944), Math.min(250_000, count - at))}) TO '${join(loaded.rawPath, path)}' (FORMAT parquet, COMPRESSION zstd)`,
    )
    const size = (await table.store.stat(path))?.size ?? 0
    adds.push({
      path,
      size,
      partitionValues: { outcome: 'accepted', ingest_date: '2026-01-01' },
      stats: JSON.stringify({ numRecords: Math.min(250_000, count - at) }),
    })
  }
  await session.close()
  await table.commit(
    { operation: 'WRITE', adds, removes: [], marks: { [sourceMark('bench', 0)]: version }, expect: {} },
    Date.now(),
  )
}

/** Publishes, adds a delta to RAW, and keeps a copy of both zones as they are before the batch. */
async function prepare(work: string, env: NodeJS.ProcessEnv): Promise<void> {
  const home = join(work, 'home')
  mkdirSync(home, { recursive: true })
  await fill(home, 0, PUBLISHED, 1)
  await runCommand([...NODE, CLI, 'batch', 'books', '--memory', '3GB', '-o', 'json'], env)
  await fill(home, Math.floor(PUBLISHED * 0.944) - Math.floor(DELTA * 0.28), DELTA, 2)
  cpSync(home, join(work, 'saved'), { recursive: true })
}

/** Our batch, on the published zone as it was before. */
async function runOurs(work: string, env: NodeJS.ProcessEnv): Promise<Run> {
  const published = 'tables/books/processed'
  rmSync(join(work, 'home', published), { recursive: true })
  cpSync(join(work, 'saved', published), join(work, 'home', published), { recursive: true })
  return runCommand([...NODE, CLI, 'batch', 'books', '-o', 'json'], env)
}

function runSql(mode: string, work: string, env: NodeJS.ProcessEnv): Promise<Run> {
  const program = resolve('test/performance/rivals/hourly-sql.ts')
  return runCommand([...NODE, program, mode, join(work, 'saved/tables/books'), join(work, 'out')], env)
}

function runSpark(spark: SparkRival, work: string): Promise<Run> {
  const books = join(work, 'saved/tables/books')
  return spark.run(
    `hourly ${join(books, 'raw/data/bench')} ${join(books, 'processed/publication_year=*')} ${join(work, 'out')}`,
  )
}

export async function benchHourly(options: BenchOptions): Promise<BenchReport> {
  const before = load()
  const work = mkdtempSync(join(tmpdir(), 'headrace-bench-'))
  const env = { ...process.env, HEADRACE_HOME: join(work, 'home') }
  let spark: SparkRival | undefined
  try {
    await prepare(work, env)
    const report: BenchReport = {
      bench: 'hourly',
      ratios: {},
      figures: { 'published keys': PUBLISHED, 'delta rows': DELTA },
      load: [before, 0],
    }
    const onSpark = async (): Promise<Run> => {
      spark ??= await startSparkRival()
      return runSpark(spark, work)
    }
    for (const mode of ['scan-and-write', 'best-sql', 'spark'].filter(
      (candidate) => options.rival === undefined || candidate === options.rival,
    )) {
      if (mode === 'spark') for (let i = 0; i < 3; i += 1) await onSpark()
      const rival = mode === 'spark' ? onSpark : (): Promise<Run> => runSql(mode, work, env)
      const runs = await alternate(options.pairs, () => runOurs(work, env), rival)
      report.ratios[mode] = ratio(runs, (run) => run.wallS)
      report.ratios[`${mode} (CPU)`] = ratio(runs, (run) => run.cpuS)
      report.figures[`s ours beside ${mode}`] = Number(median(runs.ours.map((run) => run.wallS)).toFixed(2))
      report.figures[`s ${mode}`] = Number(median(runs.rival.map((run) => run.wallS)).toFixed(2))
      report.figures['rows out ours'] = runs.ours[0].result.published
      report.figures[`rows out ${mode}`] = runs.rival[0].result.rows
    }
    report.load[1] = load()
    return report
  } finally {
    spark?.close()
    rmSync(work, { recursive: true, force: true })
  }
}
