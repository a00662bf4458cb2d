/** Upkeep's engine: merges data files, and rewrites them without the rows of some keys. */
import { ADDED_COLUMNS } from '../../core/added-columns.ts'
import { hexPattern } from '../../core/byte-search.ts'
import type { PublishedFile } from '../../core/batch-engine.ts'
import type { DoomedKeys, RewriteEngine, RewriteTable } from '../../core/rewrite-engine.ts'
import { BY_LOCAL_PATH } from '../../core/object-store.ts'
import type { DataFile } from '../../core/table-schema.ts'
import { emptyFile } from './publish.ts'
import { republish } from './republish.ts'
import { openSession, type DuckSession, type SessionOptions } from './session.ts'
import { duckType, literal, name } from './sql.ts'
import { copyWithStats, parquetOptions } from './stage.ts'
import { deltaStats } from './stats.ts'
import { rowsOfFiles } from './table-view.ts'

const [FILE, ROW] = [name(ADDED_COLUMNS.file), name(ADDED_COLUMNS.row)]

export async function openRewriteEngine(options: SessionOptions): Promise<RewriteEngine> {
  const session = await openSession(options)
  await session.run('SET preserve_insertion_order = true')
  let keyParts = 0
  return {
    access: BY_LOCAL_PATH,
    merge: (table, files, folder, orderBy) =>
      copy(session, table, {
        rows: `FROM (${rowsOfFiles(table.columns, table.partitionColumns, files)})${orderBy.length === 0 ? '' : ` ORDER BY ${orderBy.map(name).join(', ')}`}`,
        folder,
        like: files[0],
      }),
    findKeys(table, files, keys) {
      keyParts = keys.columns.length
      return findKeys(session, table, files, keys)
    },
    async without(table, file, folder) {
      const source = rowsOfFiles(table.columns, table.partitionColumns, [file], ['file', 'row'])
      const rows = `FROM (${source}) t WHERE NOT EXISTS (SELECT 1 FROM doomed_rows d WHERE d.file = t.${FILE} AND d.row = t.${ROW})`
      const [[left]] = await session.rows(`SELECT count(*) ${rows}`)
      if (Number(left) === 0) return undefined
      return copy(session, table, { rows, folder, like: file, original: keptOriginal(keyParts) })
    },
    async republish(request) {
      return republish(session, request, await emptyFile(session, options.spillFolder, request.columns))
    },
    close: () => session.close(),
  }
}

const MERGED = 'part-0.parquet'

interface CopiedRows {
  /** FROM and everything after it. */
  rows: string
  folder: string
  /** A file of the same table partition. */
  like: PublishedFile
  /** What a row keeps of its original bytes. */
  original?: string
}

/**
 * Copies rows to a file with all columns except the partition columns of the table, which live in the log.
 */
async function copy(
  session: DuckSession,
  table: RewriteTable,
  { rows, folder, like, original = name('original') }: CopiedRows,
): Promise<DataFile> {
  const path = `${folder}/${MERGED}`
  const stored = table.columns.filter((column) => !table.partitionColumns.includes(column.name))
  const selected = stored.map((column) => (column.name === 'original' ? original : name(column.name)))
  const [written] = await copyWithStats(
    session,
    `COPY (SELECT ${selected.join(', ')} ${rows}) TO ${literal(path)} (${parquetOptions(table.compression, stored.length)})`,
    path,
  )
  const types = new Map(stored.map((column) => [column.name, column.type]))
  return {
    path: MERGED,
    size: written.size,
    partitionValues: like.partitionValues,
    stats: deltaStats(written, types),
  }
}

/**
 * A row may keep the bytes of its whole message (`ordinal` -1), with all records, or those of its own record
 * and its surroundings. In a message with a deleted record, a row keeps its bytes only if they do not contain
 * the key. A file is one message, too.
 */
const keptOriginal = (keyParts: number): string =>
  `CASE WHEN (topic_id, kafka_partition, kafka_offset) IN (SELECT (topic_id, kafka_partition, kafka_offset) FROM doomed_messages)
      AND (t.ordinal < 0 OR EXISTS (SELECT 1 FROM doomed d WHERE ${holdsKey(keyParts)})) THEN NULL ELSE t.original END AS original`

/**
 * Whether the original bytes of a row contain the texts of a doomed key as whole words. A blob as text
 * escapes some bytes (a quote is \x22). So `contains` finds too much, but misses nothing: it is fast and
 * leaves little to the pattern.
 */
function holdsKey(keyParts: number): string {
  const parts = Array.from({ length: keyParts }, (_, i) => i)
  const mayHold = parts.map((i) => `contains(t.original::VARCHAR, encode(d.k${i})::VARCHAR)`)
  return [...mayHold, ...parts.map((i) => `regexp_matches(hex(t.original), d.p${i})`)].join(' AND ')
}

async function findKeys(
  session: DuckSession,
  table: RewriteTable,
  files: PublishedFile[],
  keys: DoomedKeys,
): Promise<{ path: string; rows: number }[]> {
  const types = keys.columns.map((column) =>
    duckType(table.columns.find((candidate) => candidate.name === column)?.type ?? 'string'),
  )
  const values = keys.values
    .map((tuple) => `(${[...tuple, ...tuple.map(hexPattern)].map(literal).join(', ')})`)
    .join(', ')
  const texts = keys.columns.map((_, i) => `k${i}`)
  const patterns = keys.columns.map((_, i) => `p${i}`)
  await session.run(
    `CREATE OR REPLACE TEMP TABLE doomed AS SELECT * FROM (VALUES ${values}) AS v(${[...texts, ...patterns].join(', ')})`,
  )
  const sameKey = keys.columns
    .map((column, i) => `t.${name(column)} = TRY_CAST(d.k${i} AS ${types[i]})`)
    .join(' AND ')
  const isRaw = table.partitionColumns.includes('outcome')
  const matches = isRaw
    ? `((t.outcome = 'accepted' AND ${sameKey}) OR (t.outcome = 'quarantined' AND (${sameKey} OR (${holdsKey(texts.length)}))))`
    : sameKey
  const source = rowsOfFiles(table.columns, table.partitionColumns, files, ['file', 'row'])
  const message = isRaw
    ? 't.topic_id, t.kafka_partition, t.kafka_offset'
    : 'NULL::VARCHAR AS topic_id, NULL::INTEGER AS kafka_partition, NULL::BIGINT AS kafka_offset'
  await session.run(
    `CREATE OR REPLACE TEMP TABLE doomed_rows AS SELECT DISTINCT t.${FILE} AS file, t.${ROW} AS row, ${message} FROM (${source}) t JOIN doomed d ON ${matches}`,
  )
  await session.run(
    'CREATE OR REPLACE TEMP TABLE doomed_messages AS SELECT DISTINCT topic_id, kafka_partition, kafka_offset FROM doomed_rows',
  )
  const found = await session.rows('SELECT file, count(*) FROM doomed_rows GROUP BY 1')
  return found.map(([file, rows]) => ({ path: String(file), rows: Number(rows) }))
}
