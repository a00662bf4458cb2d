/**
 * Latest wins, on Spark: publishes the newest row of each key, and rewrites the files with an older row
 * without it.
 */
import { ADDED_COLUMNS } from '../../core/added-columns.ts'
import type { Replacement, ReplaceRequest } from '../../core/batch-engine.ts'
import type { TableColumn } from '../../core/table-schema.ts'
import {
  countByPartition,
  filesIn,
  rowsOfSlices,
  storedColumns,
  tableColumns,
  targetOf,
  writeFiles,
  type StoreByAddress,
} from './publish.ts'
import type { Relation } from './protocol.ts'
import { parquetFiles, relationOf, rowsOfFiles, sourcesOf, type Query } from './query.ts'
import type { SparkSession } from './session.ts'
import { name, sparkType } from './sql.ts'

const [POSITION, NTH, ROWS_OF_KEY, FILE, ROW] = (
  ['position', 'nth', 'rowsOfKey', 'file', 'row'] as const
).map((column) => name(ADDED_COLUMNS[column]))

export interface SparkBatchOptions {
  session: SparkSession
  store: StoreByAddress
  /** Columns of RAW and Processed, and the partition columns of the latter. */
  rawColumns: TableColumn[]
  columns: TableColumn[]
  partitionColumns: string[]
  /** A folder of the store for the results of single steps. Removed at the end. */
  workFolder: string
}

/**
 * The steps of the embedded engine (engines/duckdb/replace.ts). Each step passes its result to the next as a
 * file in the work folder.
 */
export async function replace(options: SparkBatchOptions, request: ReplaceRequest): Promise<Replacement> {
  const { session } = options
  const count = async (sql: string, sources: Query['sources']): Promise<number> =>
    Number((await session.rows(relationOf({ sql, sources }), { action: 'count rows' }))[0].n ?? 0)
  const newest = await keep(
    options,
    'newest',
    newestRows(options, request),
    'find the newest row of each key',
  )
  const rows = await count(`SELECT sum(${ROWS_OF_KEY}) AS n FROM newest`, newest)
  const distinct = await count('SELECT count(*) AS n FROM newest', newest)
  const matches = await keep(
    options,
    'matches',
    publishedMatches(options, request, newest),
    'compare with what is published',
  )
  // A row with a newer published version is dropped; the rest replaces the published rows.
  const winners = `SELECT * FROM newest c WHERE NOT EXISTS (SELECT 1 FROM matches m WHERE m.position = c.${POSITION} AND NOT m.newer)`
  const losers = `SELECT m.* FROM matches m LEFT SEMI JOIN (${winners}) w ON m.position = w.${POSITION}`
  const both = { ...newest, ...matches }
  const published = await count(`SELECT count(*) AS n FROM (${winners})`, both)
  const replaced = await count(`SELECT count(DISTINCT position) AS n FROM (${losers})`, both)
  const touched = { sql: `SELECT DISTINCT file FROM (${losers})`, sources: both }
  const obsolete = await filesIn(session, touched, request.published)
  const partitions = Object.fromEntries(await countByPartition(session, { sql: winners, sources: both }))
  const adds =
    published === 0
      ? []
      : await writeFiles(
          options,
          newFiles(options, request, { winners, losers, both, obsolete }),
          targetOf(request),
        )
  return {
    adds,
    obsolete: obsolete.map((file) => file.path),
    rows,
    duplicates: rows - distinct,
    outdated: distinct - published,
    published,
    replaced,
    partitions,
  }
}

/** Writes the rows of a query into the work folder, and returns them as a source of that name. */
async function keep(
  options: SparkBatchOptions,
  alias: string,
  query: Query,
  action: string,
): Promise<Record<string, Relation>> {
  const path = `${options.workFolder}/${alias}`
  await options.store.clear(path)
  await options.session.run(
    {
      write_operation: {
        input: relationOf(query),
        source: 'parquet',
        path,
        mode: 'SAVE_MODE_ERROR_IF_EXISTS',
      },
    },
    { action },
  )
  return { [alias]: parquetFiles([path]) }
}

function newestRows(options: SparkBatchOptions, request: ReplaceRequest): Query {
  const columns = [...new Set([...request.key, request.latestBy])]
  const { partitions } = request
  const rows = rowsOfSlices('raw', request.slices, { all: options.rawColumns, columns, partitions })
  const key = request.key.map(name).join(', ')
  const ranked = `SELECT *, row_number() OVER (PARTITION BY ${key} ORDER BY ${name(request.latestBy)} DESC NULLS LAST, ${POSITION}) AS ${NTH}, count(*) OVER (PARTITION BY ${key}) AS ${ROWS_OF_KEY} FROM (${rows.sql})`
  return { sql: `SELECT * EXCEPT (${NTH}) FROM (${ranked}) WHERE ${NTH} = 1`, sources: rows.sources }
}

function publishedMatches(
  options: SparkBatchOptions,
  request: ReplaceRequest,
  newest: Record<string, Relation>,
): Query {
  const by = name(request.latestBy)
  const same = request.key.map((column) => `p.${name(column)} <=> c.${name(column)}`).join(' AND ')
  const newer = `coalesce(c.${by} > p.${by}, p.${by} IS NULL AND c.${by} IS NOT NULL)`
  const published = rowsOfFiles('published', options, request.published, ['file', 'row'])
  return {
    sql: `SELECT p.${FILE} AS file, p.${ROW} AS row, c.${POSITION} AS position, ${newer} AS newer FROM (${published.sql}) p JOIN newest c ON ${same}`,
    sources: { ...published.sources, ...newest },
  }
}

interface Found {
  winners: string
  losers: string
  both: Query['sources']
  obsolete: ReplaceRequest['published']
}

/** The winners with the columns of the table, and the remaining rows of the rewritten files. */
function newFiles(
  options: SparkBatchOptions,
  request: ReplaceRequest,
  { winners, losers, both, obsolete }: Found,
): Query {
  const raw = rowsOfSlices('raw', request.slices, {
    all: options.rawColumns,
    columns: storedColumns(request),
    partitions: request.partitions,
  })
  const kept = rowsOfFiles('kept', options, obsolete, ['file', 'row'])
  const columns = request.columns
    .map((column) => `CAST(${name(column.name)} AS ${sparkType(column.type)}) AS ${name(column.name)}`)
    .join(', ')
  const fresh = `SELECT ${tableColumns(request)} FROM (${raw.sql}) r WHERE EXISTS (SELECT 1 FROM (${winners}) w WHERE w.${POSITION} = r.${POSITION})`
  const stays = `SELECT * EXCEPT (${FILE}, ${ROW}) FROM (${kept.sql}) t WHERE NOT EXISTS (SELECT 1 FROM (${losers}) m WHERE m.file = t.${FILE} AND m.row = t.${ROW})`
  return {
    sql: `SELECT ${columns} FROM (${fresh}) UNION ALL SELECT ${columns} FROM (${stays})`,
    sources: { ...sourcesOf(raw, kept), ...both },
  }
}
