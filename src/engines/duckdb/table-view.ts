/** The rows of a table's files as one relation, with all columns of the table. */
import { ADDED_COLUMNS } from '../../core/added-columns.ts'
import type { PublishedFile } from '../../core/batch-engine.ts'
import type { TableColumn } from '../../core/table-schema.ts'
import { listLiteral, literal, name, parquetRows, partitionExpression } from './sql.ts'

/** The columns for the place of a row (ADDED_COLUMNS). */
export type Place = 'file' | 'row'

/**
 * SQL of a relation over files. Partition columns live only in the log, so each combination of their values
 * is a branch. A column that a file lacks (it was added later) is null. `extras`: additional columns for each
 * row.
 */
export function rowsOfFiles(
  columns: TableColumn[],
  partitionColumns: string[],
  files: PublishedFile[],
  extras: Place[] = [],
): string {
  const groups = Map.groupBy(files, (file) =>
    JSON.stringify(partitionColumns.map((column) => file.partitionValues[column] ?? null)),
  )
  const branches = [...groups.values()].map((group) => branch(columns, partitionColumns, group, extras))
  const places = extras.map(
    (extra) => `NULL::${extra === 'file' ? 'VARCHAR' : 'BIGINT'} AS ${name(ADDED_COLUMNS[extra])}`,
  )
  const nulls = columns.map((column) => partitionExpression(column.name, column.type, null))
  const empty = `SELECT ${[...nulls, ...places].join(', ')} WHERE false`
  return [empty, ...branches].join(' UNION ALL BY NAME ')
}

function branch(
  columns: TableColumn[],
  partitionColumns: string[],
  files: PublishedFile[],
  extras: Place[],
): string {
  const constants = columns
    .filter((column) => partitionColumns.includes(column.name))
    .map((column) =>
      partitionExpression(column.name, column.type, files[0].partitionValues[column.name] ?? null),
    )
  // Only columns of the table: files from Spark or delta-rs may hold others, such as partition columns.
  const own = columns.filter((column) => !partitionColumns.includes(column.name)).map((column) => column.name)
  const options = [
    ...(extras.includes('file') ? [`filename = ${literal(ADDED_COLUMNS.file)}`] : []),
    ...(extras.includes('row') ? ['file_row_number = true'] : []),
  ]
  const places = extras.map((extra) =>
    extra === 'file' ? name(ADDED_COLUMNS.file) : `file_row_number AS ${name(ADDED_COLUMNS.row)}`,
  )
  const selected = [`COLUMNS(c -> list_contains(${listLiteral(own)}, c))`, ...constants, ...places]
  return `SELECT ${selected.join(', ')} FROM ${parquetRows(
    files.map((file) => file.path),
    ...options,
  )}`
}
