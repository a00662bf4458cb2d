/**
 * Publishes the rows of some keys again from RAW, after their rows in RAW changed: files with such keys are
 * rewritten.
 */
import { ADDED_COLUMNS } from '../../core/added-columns.ts'
import type { PublishedFile } from '../../core/batch-engine.ts'
import type { RepublishRequest, Republished } from '../../core/rewrite-engine.ts'
import type { DuckSession } from './session.ts'
import { newRows, rowsOfSlices, writePartitions, type RowsOf } from './publish.ts'
import { name } from './sql.ts'
import { rowsOfFiles, type Place } from './table-view.ts'

const [POSITION, NTH, FILE] = (['position', 'nth', 'file'] as const).map((column) =>
  name(ADDED_COLUMNS[column]),
)

/** The order in which records of one key arrived, whatever files hold them now. */
const ARRIVAL = ['ingest_time', 'topic_id', 'kafka_partition', 'kafka_offset', 'ordinal']

/**
 * Three steps: collect the keys of the replaced and the new files; find the winner of each among all of RAW;
 * rewrite the published files with such a key, without its old rows, together with the winners.
 */
export async function republish(
  session: DuckSession,
  request: RepublishRequest,
  empty: string,
): Promise<Republished> {
  const count = async (sql: string): Promise<number> => Number((await session.rows(sql))[0][0])
  const keys = request.key.map(name).join(', ')
  const rowsOf: RowsOf = (slices, partitions, columns) => rowsOfSlices(slices, empty, partitions, columns)
  await session.run(
    `CREATE TEMP TABLE affected AS SELECT DISTINCT ${keys} FROM (${rowsOf([...request.before, ...request.after], request.partitions, request.key)})`,
  )
  const isAffected = (alias: string): string =>
    `EXISTS (SELECT 1 FROM affected a WHERE ${request.key.map((column) => `a.${name(column)} IS NOT DISTINCT FROM ${alias}.${name(column)}`).join(' AND ')})`
  const order =
    request.latestBy === undefined
      ? ARRIVAL.map(name).join(', ')
      : `${name(request.latestBy)} DESC NULLS LAST, ${ARRIVAL.map(name).join(', ')}`
  const columns = [
    ...new Set([...request.key, ...ARRIVAL, ...(request.latestBy === undefined ? [] : [request.latestBy])]),
  ]
  const ranked = `SELECT ${POSITION}, row_number() OVER (PARTITION BY ${keys} ORDER BY ${order}) AS ${NTH} FROM (${rowsOf(request.slices, request.partitions, columns)}) r WHERE ${isAffected('r')}`
  await session.run(
    `CREATE TEMP TABLE chosen AS SELECT ${POSITION}::DOUBLE AS ${POSITION} FROM (${ranked}) WHERE ${NTH} = 1`,
  )
  const published = (files: PublishedFile[], extras: Place[]): string =>
    rowsOfFiles(
      request.columns,
      request.partitions.map((rule) => rule.name),
      files,
      extras,
    )
  const touched = (
    await session.rows(
      `SELECT DISTINCT ${FILE} FROM (${published(request.published, ['file'])}) p WHERE ${isAffected('p')}`,
    )
  ).map(([file]) => String(file))
  const rewritten = request.published.filter((file) => touched.includes(file.path))
  const wanted = request.columns.map((column) => name(column.name)).join(', ')
  const survivors = `SELECT ${wanted} FROM (${published(rewritten, [])}) p WHERE NOT ${isAffected('p')}`
  const rows = await count('SELECT count(*) FROM chosen')
  const replaced = await count(
    `SELECT count(*) FROM (${published(rewritten, [])}) p WHERE ${isAffected('p')}`,
  )
  const adds =
    rows + touched.length === 0
      ? []
      : await writePartitions(session, request, `${newRows(request, rowsOf)} UNION ALL BY NAME ${survivors}`)
  return { adds, obsolete: touched, published: rows, replaced }
}
