/**
 * Whole inputs into Parquet: a table of PostgreSQL against `psql \copy` piped into DuckDB; CSV and NDJSON
 * with validation and rejects against a bare DuckDB COPY, with all columns typed and with text only. Process
 * starts are in on both sides; ours makes its file durable and publishes it, the rivals' is just written.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import pg from 'pg'
import { startPostgres } from '../../src/host/postgres-server.ts'
import { EXECUTION_FLAGS } from '../../src/control/loops/execution-process.ts'
import type { Work } from '../../src/executions/work.ts'
import { workOf } from '../support/transfers.ts'
import { alternate, load, ratio, runCommand, type BenchReport, type Run } from './measure.ts'
import type { BenchOptions } from './measure.ts'

const ROWS = 4_000_000
const FLAGS = [process.execPath, '--disable-warning=ExperimentalWarning']
const OURS = resolve('test/performance/run-transfer.ts')
const RIVAL = resolve('test/performance/rivals/copy-parquet.ts')
const COLUMNS = {
  id: 'BIGINT',
  key: 'VARCHAR',
  amount: 'DECIMAL(12, 2)',
  at: 'TIMESTAMP',
  flag: 'BOOLEAN',
  note: 'VARCHAR',
}
const TEXTS = Object.fromEntries(Object.keys(COLUMNS).map((name) => [name, 'VARCHAR']))
const MADE = `SELECT i AS id, md5(i::VARCHAR) AS key, (i * 37 % 1000003)::DECIMAL(12, 2) AS amount, TIMESTAMP '2026-01-01' + to_seconds(i) AS at, i % 3 = 0 AS flag, 'text, of "row" ' || i AS note FROM range(${ROWS}) r (i)`

interface Side {
  ours: Partial<Work>
  rival: string[]
}

/** A file with declared columns, by a job and by a bare COPY. */
function copied(home: string, format: 'csv' | 'ndjson', columns: Record<string, string>): Side {
  const declared = Object.entries(columns).map(([name, type]) => ({ name, type }))
  const rival = {
    format,
    input: join(home, `tenant/in/rows.${format}`),
    output: join(home, 'rival.parquet'),
    columns,
  }
  return {
    ours: { source: { path: `in/rows.${format}`, format, columns: declared, mode: 'full' } },
    rival: [...FLAGS, RIVAL, JSON.stringify(rival)],
  }
}

export async function benchTransfer({ pairs, rival }: BenchOptions): Promise<BenchReport> {
  const before = load()
  const home = mkdtempSync(join(tmpdir(), 'headrace-bench-'))
  chmodSync(home, 0o755)
  mkdirSync(join(home, 'tenant', 'in'), { recursive: true })
  const server = await startPostgres({ home })
  const report: BenchReport = { bench: 'transfer', ratios: {}, figures: { rows: ROWS }, load: [before, 0] }
  try {
    await makeInputs(home, server.url)
    const url = new URL(server.url)
    const sides: Record<string, Side> = {
      'psql-copy': {
        ours: {
          sourceType: 'postgres',
          source: { host: '127.0.0.1', port: Number(url.port), database: 'headrace', table: 'rows' },
          sourceSecret: { username: url.username, password: url.password },
        },
        rival: [
          'bash',
          '-c',
          'psql -q "$1" -c "\\\\copy (SELECT * FROM rows) TO STDOUT WITH (FORMAT csv)" | "${@:2}"',
          'bash',
          server.url,
          ...FLAGS,
          RIVAL,
          JSON.stringify({
            format: 'csv',
            input: '/dev/stdin',
            output: join(home, 'rival.parquet'),
            columns: COLUMNS,
          }),
        ],
      },
      ...Object.fromEntries(
        (['csv', 'ndjson'] as const).flatMap((format) => [
          [`copy-${format}`, copied(home, format, COLUMNS)],
          [`copy-${format}-text`, copied(home, format, TEXTS)],
        ]),
      ),
    }
    for (const [name, side] of Object.entries(sides).filter(
      ([candidate]) => rival === undefined || candidate === rival,
    )) {
      const runs = await alternate(
        pairs,
        () => ours(home, side.ours),
        () => runCommand(side.rival, { ...process.env }),
      )
      for (const run of [...runs.ours, ...runs.rival])
        if (run.result.rows !== ROWS) throw new Error(`${name}: ${run.result.rows} rows instead of ${ROWS}`)
      report.ratios[name] = ratio(runs, (run) => run.wallS)
      report.ratios[`${name} (CPU)`] = ratio(runs, (run) => run.cpuS)
    }
    return { ...report, load: [before, load()] }
  } finally {
    await server.stop()
    rmSync(home, { recursive: true, force: true })
  }
}

async function ours(home: string, more: Partial<Work>): Promise<Run> {
  const work = workOf(home, { memoryBytes: 4 * 1024 ** 3, tenantFolder: join(home, 'tenant'), ...more })
  return runCommand([process.execPath, ...EXECUTION_FLAGS, OURS, JSON.stringify(work)], {
    ...process.env,
    HEADRACE_ALLOW_HOSTS: '127.0.0.1',
    UV_THREADPOOL_SIZE: '40',
  })
}

async function makeInputs(home: string, url: string): Promise<void> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  const at = (name: string): string => join(home, 'tenant', 'in', name)
  await connection.run(`COPY (${MADE}) TO '${at('rows.csv')}' (FORMAT csv, HEADER)`)
  await connection.run(`COPY (${MADE}) TO '${at('rows.ndjson')}' (FORMAT json)`)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(
    'CREATE TABLE rows (id bigint, key text, amount numeric(12, 2), at timestamp, flag boolean, note text)',
  )
  await client.end()
  execFileSync(
    'bash',
    ['-c', `psql -q "$1" -c "\\copy rows FROM '${at('rows.csv')}' WITH (FORMAT csv, HEADER)"`, 'bash', url],
    { stdio: 'pipe' },
  )
}
