/**
 * Turns rows of RAW into data files of Processed with Spark: which rows, in which table partition, and how
 * they are written.
 */
import { ADDED_COLUMNS } from '../../core/added-columns.ts'
import type { PartitionRule, PublishTarget, PublishedFile, RawSlice } from '../../core/batch-engine.ts'
import { rowsIn, type DataFile, type TableColumn } from '../../core/table-schema.ts'
import { fileFacts, knownFile, parquetRows, relationOf, sparkPath, type Query } from './query.ts'
import type { Relation } from './protocol.ts'
import type { SparkSession } from './session.ts'
import { constant, literal, name } from './sql.ts'
import { STAGING_ENTRY, stagedFiles } from './staging.ts'

/** The store that the engine writes to, by the addresses for writing. */
export interface StoreByAddress {
  read(address: string): Promise<Buffer | undefined>
  write(address: string, bytes: Uint8Array): Promise<void>
  /** Removes everything below an address. */
  clear(address: string): Promise<void>
}

/** The selection of rows. */
export interface Picked {
  /** All columns of the files. */
  all: TableColumn[]
  /** Names of the requested columns. */
  columns: string[]
  partitions: PartitionRule[]
}

const [POSITION, PARTITION_PATH] = [name(ADDED_COLUMNS.position), name(ADDED_COLUMNS.partitionPath)]

/**
 * Rows of slices in order, each with its position over all of them, its table partition and the requested
 * columns.
 */
export function rowsOfSlices(alias: string, slices: RawSlice[], { all, columns, partitions }: Picked): Query {
  const wanted = all.filter(
    (column) => columns.includes(column.name) || partitions.some((rule) => rule.column === column.name),
  )
  const sources: Query['sources'] = {}
  let base = 0
  const parts = slices.flatMap((slice, i) => {
    const starts = slice.rows.map((rows) => (base += rows) - rows)
    if (slice.files.length === 0) return []
    sources[`${alias}_rows_${i}`] = parquetRows(slice.files, wanted)
    sources[`${alias}_starts_${i}`] = fileFacts(
      slice.files.map((path, n) => ({ path, values: [starts[n]] })),
      ['start'],
    )
    const picked = columns.map((column) => `, f.${name(column)}`).join('')
    return [
      `SELECT m.start + f.${name(ADDED_COLUMNS.row)} AS ${POSITION}, ${partitionPath(partitions)} AS ${PARTITION_PATH}${picked} FROM ${alias}_rows_${i} f LEFT JOIN ${alias}_starts_${i} m ON f.${name(ADDED_COLUMNS.file)} = m.file WHERE ${knownFile('m')}${filterOf(slice, partitions)}`,
    ]
  })
  if (parts.length === 0)
    return {
      sql: `SELECT 0L AS ${POSITION}, '' AS ${PARTITION_PATH}${columns.map((column) => `, ${constant(null, all.find((candidate) => candidate.name === column)?.type ?? 'string')} AS ${name(column)}`).join('')} WHERE false`,
      sources,
    }
  return { sql: parts.join(' UNION ALL '), sources }
}

function filterOf(slice: RawSlice, partitions: PartitionRule[]): string {
  const path = partitionPath(partitions)
  if (slice.onlyPartitions !== undefined)
    return ` AND ${path} IN (${slice.onlyPartitions.map(literal).join(', ') || "''"})`
  return slice.exceptPartitions.length === 0
    ? ''
    : ` AND ${path} NOT IN (${slice.exceptPartitions.map(literal).join(', ')})`
}

/** The name of a row's table partition, as users and marks write it: `publication_year=2010`. */
function partitionPath(partitions: PartitionRule[]): string {
  if (partitions.length === 0) return "''"
  return `concat_ws('/', ${partitions.map((rule) => `concat(${literal(`${rule.name}=`)}, coalesce(CAST(${partitionValue(rule, 'f.')} AS STRING), 'null'))`).join(', ')})`
}

function partitionValue(rule: PartitionRule, from = ''): string {
  const column = `${from}${name(rule.column)}`
  if (rule.transform === 'identity') return column
  const local = rule.timezone === 'UTC' ? column : `from_utc_timestamp(${column}, ${literal(rule.timezone)})`
  if (rule.transform === 'year') return `year(${local})`
  if (rule.transform === 'month') return `date_format(${local}, 'yyyy-MM')`
  return `CAST(${local} AS DATE)`
}

/**
 * Rows of RAW with the columns of the table. `rows`: the result of rowsOfSlices with `storedColumns`, or a
 * part of it.
 */
export function tableColumns(request: PublishTarget): string {
  return request.columns
    .map((column) => {
      if (column.name === 'processed_date')
        return `${constant(request.logicalTime, column.type)} AS processed_date`
      const rule = request.partitions.find(
        (partition) => partition.name === column.name && partition.transform !== 'identity',
      )
      return rule === undefined ? name(column.name) : `${partitionValue(rule)} AS ${name(column.name)}`
    })
    .join(', ')
}

/** Columns of the table that RAW has, too. */
export function storedColumns(request: PublishTarget): string[] {
  const derived = new Set(
    request.partitions.filter((rule) => rule.transform !== 'identity').map((rule) => rule.name),
  )
  return request.columns
    .map((column) => column.name)
    .filter((column) => column !== 'processed_date' && !derived.has(column))
}

export interface WriteOptions {
  session: SparkSession
  store: StoreByAddress
  signal?: AbortSignal
}

export interface FileTarget {
  folder: string
  partitionBy: string[]
  compression: string
  /** For errors: "Spark could not <action>". */
  action: string
}

/** The destination of a request's rows. */
export const targetOf = ({ folder, partitions, compression }: PublishTarget): FileTarget => ({
  folder,
  partitionBy: partitions.map((rule) => rule.name),
  compression,
  action: 'publish rows',
})

/**
 * Writes rows into a separate folder, with one folder for each table partition. Rows of one table partition
 * are brought together first, so a batch makes few files. Spark splits what is too large for one task.
 */
export async function writeFiles(
  { session, store, signal }: WriteOptions,
  query: Query,
  target: FileTarget,
): Promise<DataFile[]> {
  const { partitionBy } = target
  const hint = `/*+ REBALANCE${partitionBy.length === 0 ? '' : `(${partitionBy.map(name).join(', ')})`} */`
  const input = relationOf({ sql: `SELECT ${hint} * FROM (${query.sql})`, sources: query.sources })
  return written({ session, store, signal }, input, target)
}

/** Writes a relation unchanged, and returns its files with paths relative to the folder. */
export async function written(
  { session, store, signal }: WriteOptions,
  input: Relation,
  { folder, partitionBy, compression, action }: FileTarget,
): Promise<DataFile[]> {
  await session.run(
    {
      write_operation: {
        input,
        source: 'delta',
        path: folder,
        mode: 'SAVE_MODE_ERROR_IF_EXISTS',
        partitioning_columns: partitionBy,
        options: { compression },
      },
    },
    { action, signal },
  )
  const entry = await store.read(`${folder}/${STAGING_ENTRY}`)
  const files = entry === undefined ? [] : stagedFiles(entry)
  await store.clear(`${folder}/_delta_log`)
  return files
    .filter((file) => rowsIn(file) > 0)
    .map((file) => ({ ...file, path: decodeURIComponent(file.path) }))
}

/** The number of a query's rows in each table partition, by the partition path that rowsOfSlices adds. */
export async function countByPartition(session: SparkSession, rows: Query): Promise<Map<string, number>> {
  const found = await session.rows(
    relationOf({
      sql: `SELECT ${PARTITION_PATH} AS partition_path, count(*) AS n FROM (${rows.sql}) GROUP BY 1`,
      sources: rows.sources,
    }),
    { action: 'count rows by partition' },
  )
  return new Map(found.map((row) => [String(row.partition_path), Number(row.n)]))
}

/** The files among these that a query names, for rewriting. */
export async function filesIn(
  session: SparkSession,
  query: Query,
  files: PublishedFile[],
): Promise<PublishedFile[]> {
  const found = await session.rows(relationOf(query), { action: 'find files to write again' })
  const named = new Set(found.map((row) => String(row.file)))
  return files.filter((file) => named.has(sparkPath(file.path)))
}
