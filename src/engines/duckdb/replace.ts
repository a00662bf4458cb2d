/** Latest wins: publishes the newest row of each key, and rewrites the files with an older row without it. */
import { ADDED_COLUMNS } from '../../core/added-columns.ts'
import type { Replacement, ReplaceRequest } from '../../core/batch-engine.ts'
import { newRows, writePartitions, type RowsOf } from './publish.ts'
import type { DuckSession } from './session.ts'
import { name } from './sql.ts'
import { rowsOfFiles, type Place } from './table-view.ts'

const [POSITION, NTH, ROWS_OF_KEY, FILE, ROW] = (
  ['position', 'nth', 'rowsOfKey', 'file', 'row'] as const
).map((column) => name(ADDED_COLUMNS[column]))

/**
 * Four steps: find the newest row of each key in the slices; find the published rows of these keys, newer or
 * not; drop the losers; rewrite the files with losing rows, together with the new rows. Reading the published
 * keys costs as much as what is published: unlike the first row of a key, the newest one cannot be determined
 * from a hash.
 */
export async function replace(
  session: DuckSession,
  request: ReplaceRequest,
  rowsOf: RowsOf,
): Promise<Replacement> {
  const count = async (sql: string): Promise<number> => Number((await session.rows(sql))[0][0])
  await newestRows(session, request, rowsOf)
  const rows = await count(`SELECT coalesce(sum(${ROWS_OF_KEY}), 0) FROM chosen`)
  const distinct = await count('SELECT count(*) FROM chosen')
  await publishedMatches(session, request)
  const published = await count('SELECT count(*) FROM chosen')
  const replaced = await count('SELECT count(DISTINCT position) FROM matches')
  const obsolete = (await session.rows('SELECT DISTINCT file FROM matches')).map(([file]) => String(file))
  const partitions = Object.fromEntries(
    (await session.rows(`SELECT ${name(ADDED_COLUMNS.partitionPath)}, count(*) FROM chosen GROUP BY 1`)).map(
      ([path, total]) => [String(path), Number(total)],
    ),
  )
  const adds =
    published === 0
      ? []
      : await writePartitions(
          session,
          request,
          `${newRows(request, rowsOf)} UNION ALL BY NAME ${survivors(request, obsolete)}`,
        )
  await session.run('DROP TABLE matches')
  await session.run('DROP TABLE chosen')
  return {
    adds,
    obsolete,
    rows,
    duplicates: rows - distinct,
    outdated: distinct - published,
    published,
    replaced,
    partitions,
  }
}

function newestRows(session: DuckSession, request: ReplaceRequest, rowsOf: RowsOf): Promise<void> {
  const key = request.key.map(name).join(', ')
  const columns = [...new Set([...request.key, request.latestBy])]
  const order = `${name(request.latestBy)} DESC NULLS LAST, ${POSITION}`
  const ranked = `SELECT *, row_number() OVER (PARTITION BY ${key} ORDER BY ${order}) AS ${NTH}, count(*) OVER (PARTITION BY ${key}) AS ${ROWS_OF_KEY} FROM (${rowsOf(request.slices, request.partitions, columns)})`
  return session.run(
    `CREATE TEMP TABLE chosen AS SELECT * EXCLUDE (${NTH}) FROM (${ranked}) WHERE ${NTH} = 1`,
  )
}

/**
 * Published rows with the key of a chosen row. Keys with a published row that is as new leave `chosen`; rows
 * that remain in `matches` are replaced.
 */
async function publishedMatches(session: DuckSession, request: ReplaceRequest): Promise<void> {
  const by = name(request.latestBy)
  const same = request.key
    .map((column) => `p.${name(column)} IS NOT DISTINCT FROM c.${name(column)}`)
    .join(' AND ')
  const newer = `coalesce(c.${by} > p.${by}, p.${by} IS NULL AND c.${by} IS NOT NULL)`
  await session.run(`CREATE TEMP TABLE matches (file VARCHAR, row BIGINT, position BIGINT, newer BOOLEAN)`)
  if (request.published.length === 0) return
  const published = rowsOfFiles(request.columns, partitionColumns(request), request.published, [
    'file',
    'row',
  ])
  await session.run(
    `INSERT INTO matches SELECT p.${FILE}, p.${ROW}, c.${POSITION}, ${newer} FROM (${published}) p JOIN chosen c ON ${same}`,
  )
  await session.run(`DELETE FROM chosen WHERE ${POSITION} IN (SELECT position FROM matches WHERE NOT newer)`)
  await session.run(`DELETE FROM matches WHERE position NOT IN (SELECT ${POSITION} FROM chosen)`)
}

/** The rows of rewritten files, without those that are replaced. */
function survivors(request: ReplaceRequest, obsolete: string[]): string {
  const files = request.published.filter((file) => obsolete.includes(file.path))
  const columns = request.columns.map((column) => name(column.name)).join(', ')
  const extras: Place[] = files.length === 0 ? [] : ['file', 'row']
  const lost =
    files.length === 0
      ? ''
      : ` WHERE NOT EXISTS (SELECT 1 FROM matches m WHERE m.file = t.${FILE} AND m.row = t.${ROW})`
  return `SELECT ${columns} FROM (${rowsOfFiles(request.columns, partitionColumns(request), files, extras)}) t${lost}`
}

function partitionColumns(request: ReplaceRequest): string[] {
  return request.partitions.map((rule) => rule.name)
}
