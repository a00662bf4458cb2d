/**
 * One table, whoever writes it and wherever it lies: each engine appends, each compacts, and three readers
 * find the same rows.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keepEnvironment } from '../support/environment.ts'
import { sampled } from '../support/chance.ts'
import { sharedSpark, type SharedSpark } from '../support/spark.ts'
import { startHdfs, sharedS3, type StorageServer } from '../support/storage.ts'
import { PYTHON, broker, cli, cliJson, place, produce, type Place } from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'

const run = promisify(execFile)
/** One place a run. */
const KINDS = sampled(['local', 's3', 'hdfs'], 1)
let spark: SharedSpark
let servers: Record<string, StorageServer>
let address = ''
const restoreEnvironment = keepEnvironment()

beforeAll(async () => {
  const [s3, hdfs, kafka] = await Promise.all([
    sharedS3(),
    KINDS.includes('hdfs') ? startHdfs() : undefined,
    broker(),
  ])
  servers = { s3, ...(hdfs === undefined ? {} : { hdfs }) }
  address = kafka.address
  Object.assign(process.env, s3.env, hdfs?.env)
  spark = await sharedSpark()
}, limitMs(180_000))

afterAll(async () => {
  servers.hdfs?.kill()
  restoreEnvironment()
})

const COLUMNS = ['record_id', 'title', 'author_name', 'author_country', 'publication_year']

/** Sum of 32 bits of each row's MD5, by three readers: ours, Spark with delta-spark, deltalake. */
async function hashes(
  where: Place,
  zone: 'raw' | 'processed',
  root: string,
): Promise<Record<string, string>> {
  const filter = zone === 'raw' ? " WHERE outcome = 'accepted'" : ''
  const parts = COLUMNS.map((column) => `coalesce(${column}::VARCHAR, '')`).join(" || '|' || ")
  const [ours] = await cliJson<{ h: string }[]>(where, [
    'tables',
    'query',
    `books/${zone}`,
    `SELECT count(*) || ':' || sum(('0x' || substr(md5(${parts}), 1, 8))::BIGINT) AS h FROM t${filter}`,
  ])
  const session = spark.session()
  const shown = COLUMNS.map((column) => `coalesce(CAST(${column} AS STRING), '')`).join(", '|', ")
  const [theirs] = await session.sql(
    `SELECT concat(count(*), ':', sum(CAST(conv(substr(md5(concat(${shown})), 1, 8), 16, 10) AS BIGINT))) AS h FROM delta.\`${sparkRoot(root)}/books/${zone}\`${filter}`,
  )
  await session.close()
  const script = `
import sys, hashlib, deltalake, pyarrow.compute as pc, os
options = {'AWS_ENDPOINT_URL': os.environ['AWS_ENDPOINT_URL'], 'AWS_ALLOW_HTTP': 'true', 'AWS_REGION': 'us-east-1'} if sys.argv[1].startswith('s3') else None
t = deltalake.DeltaTable(sys.argv[1], storage_options=options).to_pyarrow_table()
if '${zone}' == 'raw': t = t.filter(pc.equal(t['outcome'], 'accepted'))
rows = zip(*(t[c].to_pylist() for c in ${JSON.stringify(COLUMNS)}))
hashes = [int(hashlib.md5('|'.join('' if v is None else str(v) for v in row).encode()).hexdigest()[:8], 16) for row in rows]
print(f'{len(hashes)}:{sum(hashes)}')
sys.stdout.flush()
os._exit(0)`
  const { stdout } = await run(PYTHON, ['-c', script, `${root}/books/${zone}`], { env: where.env })
  return { headrace: ours.h, spark: String(theirs.h), deltalake: stdout.trim() }
}

const sparkRoot = (root: string): string => root.replace(/^s3:/, 's3a:')

test.each(KINDS)(
  '%s: appended and compacted by both engines, read by all with the same hash',
  async (kind) => {
    const where = place(address)
    const root = kind === 'local' ? `${where.home}/tables` : servers[kind].root(`tables-${process.pid}`)
    Object.assign(where.env, spark.env, { HEADRACE_TABLES: root })
    const step = (engine: string, verb: string, ...more: string[]): Promise<Record<string, number>> =>
      cliJson(where, [verb, where.declaration, '--engine', engine, ...more])
    for (const engine of ['duckdb', 'spark']) {
      await produce(where, 900, ['--seed', '11'])
      await step(engine, 'stream', '--until-caught-up')
      await step(engine === 'spark' ? 'duckdb' : 'spark', 'batch')
    }
    const seen = [await hashes(where, 'raw', root), await hashes(where, 'processed', root)]
    for (const byReader of seen)
      expect(byReader).toEqual({
        headrace: byReader.headrace,
        spark: byReader.headrace,
        deltalake: byReader.headrace,
      })
    expect(Number(seen[0].headrace.split(':')[0])).toBeGreaterThan(1_000)
    const { stdout: statement } = await cli(where, ['tables', 'register', 'books/processed'])
    const session = spark.session()
    await session.sql(statement.replace(/^--.*$/m, '').replace(';', ''))
    expect(await session.sql('SELECT count(*) AS n FROM books_processed')).toEqual([
      { n: BigInt(seen[1].headrace.split(':')[0]) },
    ])
    await session.sql('DROP TABLE books_processed')
    await session.close()
    for (const engine of ['duckdb', 'spark']) await step(engine, 'compact')
    expect([await hashes(where, 'raw', root), await hashes(where, 'processed', root)]).toEqual(seen)
    where.cleanUp()
  },
)
