/**
 * The rivals of the batch: a bare scan and partitioned write, and the best SQL we know of equal result; both
 * fsync.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { openSession } from '../../../src/engines/duckdb/session.ts'

const [, , mode, tables, out] = process.argv
rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
const parquet = (folder: string, match: RegExp): string =>
  `[${readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => match.test(name))
    .toSorted()
    .map((name) => `'${join(folder, name)}'`)
    .join(', ')}]`
const delta = parquet(join(tables, 'raw', 'data'), /2-\d+\.parquet$/)
const published = parquet(join(tables, 'processed'), /^publication_year=.*\.parquet$/)
const session = await openSession({ memoryBytes: 1 << 30, threads: 2, spillFolder: join(out, 'spill') })
const columns = 'record_id, title, author_name, author_country, publication_year, message_id, message_time'
const source =
  mode === 'scan-and-write'
    ? `SELECT ${columns}, now() AS processed_date FROM read_parquet(${delta})`
    : // Published keys reduced to those of the delta first, then anti join and row_number: the least CPU of
      // seven variants tried.
      `WITH d AS (SELECT ${columns}, kafka_offset FROM read_parquet(${delta})),
        p AS (SELECT record_id FROM read_parquet(${published}) WHERE record_id IN (SELECT record_id FROM d)),
        n AS (SELECT *, row_number() OVER (PARTITION BY record_id ORDER BY kafka_offset) AS nth FROM d WHERE record_id NOT IN (SELECT record_id FROM p))
      SELECT ${columns}, now() AS processed_date FROM n WHERE nth = 1`
const written = await session.objects(
  `COPY (${source}) TO '${join(out, 'data')}' (FORMAT parquet, PARTITION_BY (publication_year), COMPRESSION zstd, COMPRESSION_LEVEL 1, RETURN_STATS)`,
)
for (const file of written) {
  const handle = openSync(String(file.filename), 'r+')
  fsyncSync(handle)
  closeSync(handle)
}
process.stdout.write(
  `${JSON.stringify({ rows: written.reduce((sum, file) => sum + Number(file.count), 0), files: written.length })}\n`,
)
process.exit(0)
