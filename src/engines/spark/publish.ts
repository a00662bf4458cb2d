/** Rows of RAW to data files of Processed, by Spark: which rows, in which table partition, written how. */
import { ADDED_COLUMNS } from '../../core/added-columns.ts'
import type { PartitionRule, PublishTarget, RawSlice } from '../../core/batch-engine.ts'
import { rowsIn, type DataFile, type TableColumn } from '../../core/table-schema.ts'
import { fileFacts, knownFile, parquetRows, relationOf, type Query } from './query.ts'
import type { SparkSession } from './session.ts'
import { constant, literal, name } from './sql.ts'
import { STAGING_ENTRY, stagedFiles } from './staging.ts'

/** The store that the engine writes to, by the addresses that it writes with. */
export interface StoreByAddress {
  read(address: string): Promise<Buffer | undefined>
  write(address: string, bytes: Uint8Array): Promise<void>
  /** Removes everything below. */
  clear(address: string): Promise<void>
}

const [POSITION, PARTITION_PATH] = [name(ADDED_COLUMNS.position), name(ADDED_COLUMNS.partitionPath)]

/**
 * Rows of slices in order, each with its position over all of them, its table partition and the columns asked
 * for.
 */
export function rowsOfSlices(
  alias: string,
  slices: RawSlice[],
  partitions: PartitionRule[],
  all: TableColumn[],
  columns: string[],
): Query {
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
      sql: `SELECT 0L AS ${POSITION}, '' AS ${PARTITION_PATH}${columns.map((column) => `, ${constant(null, all.find((one) => one.name === column)?.type ?? 'string')} AS ${name(column)}`).join('')} WHERE false`,
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
 * Rows of RAW as the table's columns. `rows`: what rowsOfSlices made, with `storedColumns`, or a part of it.
 */
export function tableColumns(request: PublishTarget): string {
  return request.columns
    .map((column) => {
      if (column.name === 'processed_date')
        return `${constant(request.logicalTime, column.type)} AS processed_date`
      const rule = request.partitions.find((one) => one.name === column.name && one.transform !== 'identity')
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

/**
 * Writes rows into a folder of their own, one folder below it for each table partition. Rows of one table
 * partition come together first, so that a batch makes few files; Spark splits what is too large for one
 * task.
 */
export async function writeFiles(
  { session, store, signal }: WriteOptions,
  query: Query,
  folder: string,
  partitionBy: string[],
  compression: string,
  action: string,
): Promise<DataFile[]> {
  const hint = `/*+ REBALANCE${partitionBy.length === 0 ? '' : `(${partitionBy.map(name).join(', ')})`} */`
  const input = relationOf({ sql: `SELECT ${hint} * FROM (${query.sql})`, sources: query.sources })
  return written({ session, store, signal }, input, folder, partitionBy, compression, action)
}

/** Writes a relation as it is and returns its files, with paths relative to the folder. */
export async function written(
  { session, store, signal }: WriteOptions,
  input: ReturnType<typeof relationOf>,
  folder: string,
  partitionBy: string[],
  compression: string,
  action: string,
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
