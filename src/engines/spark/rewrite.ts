/**
 * Upkeep's engine on Spark: merges data files, rewrites them without the rows of some keys, publishes keys
 * again.
 */
import { ADDED_COLUMNS } from '../../core/added-columns.ts'
import { hexPattern } from '../../core/byte-search.ts'
import type { PublishedFile } from '../../core/batch-engine.ts'
import { failure } from '../../core/errors.ts'
import { BY_ADDRESS } from '../../core/object-store.ts'
import type {
  DoomedKeys,
  RepublishRequest,
  Republished,
  RewriteEngine,
  RewriteTable,
} from '../../core/rewrite-engine.ts'
import type { DataFile, TableColumn } from '../../core/table-schema.ts'
import { arrowTable } from './arrow-rows.ts'
import {
  filesIn,
  rowsOfSlices,
  storedColumns,
  tableColumns,
  targetOf,
  writeFiles,
  written,
  type FileTarget,
  type StoreByAddress,
} from './publish.ts'
import type { Relation } from './protocol.ts'
import { fileFacts, relationOf, rowsOfFiles, sourcesOf, sparkPath, type Query } from './query.ts'
import type { SparkSession } from './session.ts'
import { literal, name, sparkType } from './sql.ts'

const [FILE, ROW, NTH] = (['file', 'row', 'nth'] as const).map((column) => name(ADDED_COLUMNS[column]))

export interface SparkRewriteOptions {
  session: SparkSession
  store: StoreByAddress
}

/** The remembered rows of the last findKeys. */
interface Doomed {
  rows: { file: string; row: bigint }[]
  messages: { topic_id: string; kafka_partition: number; kafka_offset: bigint }[]
  /** Texts of the keys. */
  keys: string[][]
}

export function openSparkRewriteEngine(options: SparkRewriteOptions): RewriteEngine {
  let doomed: Doomed = { rows: [], messages: [], keys: [] }
  return {
    access: BY_ADDRESS,
    merge: (table, files, folder, orderBy) => merge(options, table, { files, folder, orderBy }),
    async findKeys(table, files, keys) {
      doomed = await findDoomed(options, table, files, keys)
      const counts = Map.groupBy(doomed.rows, (row) => row.file)
      return files.flatMap((file) => {
        const rows = counts.get(sparkPath(file.path))?.length ?? 0
        return rows === 0 ? [] : [{ path: file.path, rows }]
      })
    },
    without: (table, file, folder) => withoutRows(options, doomed, table, { file, folder }),
    republish: (request) => republish(options, request),
    close: () => options.session.close(),
  }
}

/** Columns of a data file, without those that live in the log. */
const storedIn = (table: RewriteTable): TableColumn[] =>
  table.columns.filter((column) => !table.partitionColumns.includes(column.name))

/** `like`: a file of the same table partition. */
async function oneFile(
  options: SparkRewriteOptions,
  query: Query,
  like: PublishedFile,
  target: Omit<FileTarget, 'partitionBy'>,
): Promise<DataFile | undefined> {
  const files = await written(options, relationOf(query), { ...target, partitionBy: [] })
  if (files.length > 1)
    throw failure('internal', { reason: `Spark made ${files.length} files of what is to be one` })
  return files[0] === undefined ? undefined : { ...files[0], partitionValues: like.partitionValues }
}

async function merge(
  options: SparkRewriteOptions,
  table: RewriteTable,
  { files, folder, orderBy }: { files: PublishedFile[]; folder: string; orderBy: string[] },
): Promise<DataFile> {
  const stored = storedIn(table)
  const rows = rowsOfFiles('merged', { columns: stored, partitionColumns: [] }, files, ['file', 'row'])
  const order = fileFacts(
    files.map((file, i) => ({ path: file.path, values: [i] })),
    ['nth'],
  )
  const by =
    orderBy.length === 0 ? `o.nth, r.${ROW}` : orderBy.map((column) => `r.${name(column)}`).join(', ')
  const columns = stored.map((column) => `r.${name(column.name)}`).join(', ')
  // One task with sorted rows: COALESCE would not keep the order of an earlier ORDER BY.
  const sql = `SELECT /*+ REPARTITION(1) */ ${columns} FROM (${rows.sql}) r JOIN merge_order o ON r.${FILE} = o.file SORT BY ${by}`
  const sources = { ...rows.sources, merge_order: order }
  const target = { folder, compression: table.compression, action: 'merge files' }
  const made = await oneFile(options, { sql, sources }, files[0], target)
  if (made === undefined) throw failure('internal', { reason: 'merged files have no rows' })
  return made
}

async function findDoomed(
  options: SparkRewriteOptions,
  table: RewriteTable,
  files: PublishedFile[],
  keys: DoomedKeys,
): Promise<Doomed> {
  const isRaw = table.partitionColumns.includes('outcome')
  const types = keys.columns.map((column) =>
    sparkType(table.columns.find((candidate) => candidate.name === column)?.type ?? 'string'),
  )
  const doomed: Relation = {
    local_relation: {
      data: arrowTable(
        Object.fromEntries(
          keys.columns.flatMap((_, i) => [
            [`k${i}`, keys.values.map((tuple) => tuple[i])],
            [`p${i}`, keys.values.map((tuple) => hexPattern(tuple[i]))],
          ]),
        ),
      ),
    },
  }
  const sameKey = keys.columns
    .map((column, i) => `t.${name(column)} = TRY_CAST(d.k${i} AS ${types[i]})`)
    .join(' AND ')
  const inOriginal = keys.columns
    .map((_, i) => `(contains(t.original, CAST(d.k${i} AS BINARY)) AND hex(t.original) RLIKE d.p${i})`)
    .join(' AND ')
  const matches = isRaw
    ? `((t.outcome = 'accepted' AND ${sameKey}) OR (t.outcome = 'quarantined' AND (${sameKey} OR ${inOriginal})))`
    : sameKey
  const message = isRaw
    ? 't.topic_id, t.kafka_partition, t.kafka_offset'
    : "'' AS topic_id, 0 AS kafka_partition, 0L AS kafka_offset"
  const rows = rowsOfFiles('held', table, files, ['file', 'row'])
  const sql = `SELECT DISTINCT t.${FILE} AS file, t.${ROW} AS row, ${message} FROM (${rows.sql}) t JOIN doomed d ON ${matches}`
  const found = await options.session.rows(relationOf({ sql, sources: { ...rows.sources, doomed } }), {
    action: 'find the rows of keys',
  })
  const each = found.map(
    (row) =>
      row as unknown as {
        file: string
        row: bigint
        topic_id: string
        kafka_partition: number
        kafka_offset: bigint
      },
  )
  return {
    rows: each.map(({ file, row }) => ({ file, row })),
    messages: isRaw ? each : [],
    keys: keys.values,
  }
}

/** Whether bytes contain all texts of one of the keys as whole words. */
function holdsAny(bytes: string, keys: string[][]): string {
  const structs = keys.map((key) => `struct(${key.map((part) => literal(hexPattern(part))).join(', ')})`)
  const parts = keys[0].map((_, i) => `hex(${bytes}) RLIKE k.col${i + 1}`)
  return `exists(array(${structs.join(', ')}), k -> ${parts.join(' AND ')})`
}

async function withoutRows(
  options: SparkRewriteOptions,
  doomed: Doomed,
  table: RewriteTable,
  { file, folder }: { file: PublishedFile; folder: string },
): Promise<DataFile | undefined> {
  const gone = doomed.rows.filter((row) => row.file === sparkPath(file.path))
  const sources: Query['sources'] = {
    gone: { local_relation: { data: arrowTable({ row: BigInt64Array.from(gone, (row) => row.row) }) } },
  }
  const stored = storedIn(table)
  const rows = rowsOfFiles('kept', { columns: stored, partitionColumns: [] }, [file], ['row'])
  const cleared = doomed.messages.length > 0 && stored.some((column) => column.name === 'original')
  // As in the embedded engine: bytes of a whole message, or those of one record that contain the key.
  if (cleared) {
    const { messages } = doomed
    sources.silenced = {
      local_relation: {
        data: arrowTable({
          topic: messages.map((message) => message.topic_id),
          kp: Int32Array.from(messages, (message) => message.kafka_partition),
          ko: BigInt64Array.from(messages, (message) => message.kafka_offset),
        }),
      },
    }
  }
  const columns = stored
    .map((column) =>
      cleared && column.name === 'original'
        ? `IF(s.topic IS NULL OR NOT (r.ordinal < 0 OR ${holdsAny('r.original', doomed.keys)}), r.original, NULL) AS original`
        : `r.${name(column.name)}`,
    )
    .join(', ')
  const join = cleared
    ? ' LEFT JOIN (SELECT DISTINCT * FROM silenced) s ON r.topic_id = s.topic AND r.kafka_partition = s.kp AND r.kafka_offset = s.ko'
    : ''
  const sql = `SELECT /*+ REPARTITION(1) */ ${columns} FROM (${rows.sql}) r${join} WHERE NOT EXISTS (SELECT 1 FROM gone g WHERE g.row = r.${ROW}) SORT BY r.${ROW}`
  const target = { folder, compression: table.compression, action: 'write rows again' }
  return oneFile(options, { sql, sources: { ...rows.sources, ...sources } }, file, target)
}

/** The order in which records of one key arrived, whatever files hold them now. */
const ARRIVAL = ['ingest_time', 'topic_id', 'kafka_partition', 'kafka_offset', 'ordinal']

/** The steps of the embedded engine: see engines/duckdb/republish.ts. */
async function republish(options: SparkRewriteOptions, request: RepublishRequest): Promise<Republished> {
  const { session } = options
  const { partitions } = request
  const table = { columns: request.columns, partitionColumns: partitions.map((rule) => rule.name) }
  const changed = rowsOfSlices('changed', [...request.before, ...request.after], {
    all: rawColumns(request),
    columns: request.key,
    partitions,
  })
  const isAffected = affectedBy(changed, request.key)
  const winners = newestOfKeys(request, changed, isAffected)
  const live = rowsOfFiles('live', table, request.published, ['file'])
  const hit = {
    sql: `SELECT DISTINCT ${FILE} AS file FROM (${live.sql}) p WHERE ${isAffected('p')}`,
    sources: sourcesOf(live, changed),
  }
  const touched = await filesIn(session, hit, request.published)
  const kept = rowsOfFiles('kept', table, touched)
  const published = await countRows(session, winners)
  const replaced = await countRows(session, {
    sql: `SELECT 1 FROM (${kept.sql}) p WHERE ${isAffected('p')}`,
    sources: sourcesOf(kept, changed),
  })
  const columns = request.columns
    .map((column) => `CAST(${name(column.name)} AS ${sparkType(column.type)}) AS ${name(column.name)}`)
    .join(', ')
  const sql = `SELECT ${columns} FROM (SELECT ${tableColumns(request)} FROM (${winners.sql})) UNION ALL SELECT ${columns} FROM (${kept.sql}) p WHERE NOT ${isAffected('p')}`
  const adds =
    published + touched.length === 0
      ? []
      : await writeFiles(options, { sql, sources: sourcesOf(winners, kept) }, targetOf(request))
  return { adds, obsolete: touched.map((file) => file.path), published, replaced }
}

/** The condition that a row has one of the changed keys. */
function affectedBy(changed: Query, key: string[]): (alias: string) => string {
  const keys = `SELECT DISTINCT ${key.map(name).join(', ')} FROM (${changed.sql})`
  return (alias) =>
    `EXISTS (SELECT 1 FROM (${keys}) a WHERE ${key.map((column) => `a.${name(column)} <=> ${alias}.${name(column)}`).join(' AND ')})`
}

/** The row to publish for each changed key. */
function newestOfKeys(
  request: RepublishRequest,
  changed: Query,
  isAffected: (alias: string) => string,
): Query {
  const { key, latestBy, partitions } = request
  const latest = latestBy === undefined ? [] : [latestBy]
  const order = [...latest.map((column) => `${name(column)} DESC NULLS LAST`), ...ARRIVAL.map(name)].join(
    ', ',
  )
  const all = rowsOfSlices('all', request.slices, {
    all: rawColumns(request),
    columns: [...new Set([...storedColumns(request), ...key, ...ARRIVAL, ...latest])],
    partitions,
  })
  const ranked = `SELECT *, row_number() OVER (PARTITION BY ${key.map(name).join(', ')} ORDER BY ${order}) AS ${NTH} FROM (${all.sql}) r WHERE ${isAffected('r')}`
  return { sql: `SELECT * FROM (${ranked}) WHERE ${NTH} = 1`, sources: sourcesOf(all, changed) }
}

async function countRows(session: SparkSession, { sql, sources }: Query): Promise<number> {
  const counted = relationOf({ sql: `SELECT count(*) AS n FROM (${sql})`, sources })
  return Number((await session.rows(counted, { action: 'count rows' }))[0].n)
}

/** The columns of RAW that publishing needs. */
function rawColumns(request: RepublishRequest): TableColumn[] {
  const origin: TableColumn[] = [
    { name: 'ingest_time', type: 'timestamp' as const },
    { name: 'topic_id', type: 'string' as const },
    { name: 'kafka_partition', type: 'integer' as const },
    { name: 'kafka_offset', type: 'long' as const },
    { name: 'ordinal', type: 'integer' as const },
  ].map((column) => ({ ...column, nullable: true, metadata: {} }))
  return [
    ...request.columns,
    ...origin.filter((column) => !request.columns.some((candidate) => candidate.name === column.name)),
  ]
}
