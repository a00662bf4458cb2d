/** SQL text with the relations that it reads: plans that need no views and leave nothing in a session. */
import { ADDED_COLUMNS } from '../../core/added-columns.ts'
import { failure } from '../../core/errors.ts'
import type { PublishedFile } from '../../core/batch-engine.ts'
import type { TableColumn } from '../../core/table-schema.ts'
import { arrowTable } from './arrow-rows.ts'
import type { Relation } from './protocol.ts'
import { literal, name, sparkType } from './sql.ts'

export interface Query {
  sql: string
  /** By their names in the SQL. */
  sources: Record<string, Relation>
}

export function relationOf({ sql, sources }: Query): Relation {
  return {
    with_relations: {
      root: { sql: { query: sql } },
      references: Object.entries(sources).map(([alias, input]) => ({ subquery_alias: { input, alias } })),
    },
  }
}

/** The sources of several queries. The same name means the same relation. */
export function sourcesOf(...queries: Query[]): Query['sources'] {
  return Object.assign({}, ...queries.map((query) => query.sources)) as Query['sources']
}

/**
 * Parquet files by name. Spark treats a path with `[`, `{`, `*` or `?`, which a table's folder may contain,
 * as a pattern: it would read other files, or none. (Delta's own option against it, `__globPaths__`, has no
 * effect here.)
 */
export function parquetFiles(paths: string[], schema?: string): Relation {
  const names = paths.map((path) => path.replace(/[\\*?[\]{}]/g, '\\$&'))
  return { read: { data_source: { format: 'parquet', schema, paths: names } } }
}

/**
 * Rows of Parquet files, with null for columns that a file lacks, and the place of each row (ADDED_COLUMNS:
 * file and row).
 */
export function parquetRows(paths: string[], columns: TableColumn[]): Relation {
  const schema = columns.map((column) => `${name(column.name)} ${sparkType(column.type)}`).join(', ')
  const read = parquetFiles(paths, schema)
  return {
    project: {
      input: read,
      expressions: [
        '*',
        `_metadata.file_path AS ${name(ADDED_COLUMNS.file)}`,
        `_metadata.row_index AS ${name(ADDED_COLUMNS.row)}`,
      ].map((expression) => ({ expression_string: { expression } })),
    },
  }
}

/**
 * What is known of each file, for a join by `file`. An unknown file is an error; the join never drops a row.
 */
export function fileFacts(
  facts: { path: string; values: (string | number | null)[] }[],
  names: string[],
): Relation {
  const columns: Record<string, string[] | BigInt64Array> = {
    file: facts.map((fact) => sparkPath(fact.path)),
  }
  names.forEach((column, i) => {
    const values = facts.map((fact) => fact.values[i])
    columns[column] = values.some((value) => typeof value === 'number')
      ? BigInt64Array.from(values, (value) => BigInt(value ?? 0))
      : values.map((value) => (value === null ? NULL_TEXT : String(value)))
  })
  return { local_relation: { data: arrowTable(columns) } }
}

/** Stands for null among the texts of a local relation: no partition value equals it. */
const NULL_TEXT = '\u0000null'

const factText = (column: string): string => `nullif(${column}, ${literal(NULL_TEXT)})`

/** Columns of a table, and its partition columns. */
export interface TableShape {
  columns: TableColumn[]
  partitionColumns: string[]
}

/**
 * All rows of a table's files with all its columns, including partition columns, which live only in the log.
 */
export function rowsOfFiles(
  alias: string,
  { columns, partitionColumns }: TableShape,
  files: PublishedFile[],
  extras: ('file' | 'row')[] = [],
): Query {
  const stored = columns.filter((column) => !partitionColumns.includes(column.name))
  const select = columns.map((column) => {
    const at = partitionColumns.indexOf(column.name)
    return at < 0
      ? `f.${name(column.name)}`
      : `CAST(${factText(`m.p${at}`)} AS ${sparkType(column.type)}) AS ${name(column.name)}`
  })
  if (files.length === 0)
    return {
      sql: `SELECT ${[...columns.map((column) => `CAST(NULL AS ${sparkType(column.type)}) AS ${name(column.name)}`), ...extras.map((extra) => `${extra === 'file' ? "''" : '0L'} AS ${name(ADDED_COLUMNS[extra])}`)].join(', ')} WHERE false`,
      sources: {},
    }
  const facts = fileFacts(
    files.map((file) => ({
      path: file.path,
      values: partitionColumns.map((column) => file.partitionValues[column] ?? null),
    })),
    partitionColumns.map((_, i) => `p${i}`),
  )
  return {
    sql: `SELECT ${[...select, ...extras.map((extra) => `f.${name(ADDED_COLUMNS[extra])}`)].join(', ')} FROM ${alias}_rows f LEFT JOIN ${alias}_facts m ON f.${name(ADDED_COLUMNS.file)} = m.file WHERE ${knownFile('m')}`,
    sources: {
      [`${alias}_rows`]: parquetRows(
        files.map((file) => file.path),
        stored,
      ),
      [`${alias}_facts`]: facts,
    },
  }
}

/** True for every row of a known file. Raises an error for others. */
export function knownFile(facts: string): string {
  return `(${facts}.file IS NOT NULL OR CAST(raise_error(concat('a file that nobody asked for: ', f.${name(ADDED_COLUMNS.file)})) AS BOOLEAN))`
}

/**
 * A path as Spark writes it in `_metadata.file_path`: java.net.URI quotes all characters except these and
 * those beyond ASCII.
 */
export function sparkPath(path: string): string {
  const match = /^([a-z0-9]+:\/\/[^/]*)(\/.*)$/.exec(path)
  if (match === null) throw failure('internal', { reason: `${path} is no address` })
  return (
    (match[1] === 'file://' ? 'file:' : match[1]) +
    match[2].replace(
      /[^A-Za-z0-9_\-!.~'()*,;:$&+=/@\u0080-\uffff]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    )
  )
}
