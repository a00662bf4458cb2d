/** The only place that builds SQL text: quoting, types, literals. */
import type { DerivedColumn } from '../../core/engine.ts'
import type { DeltaType } from '../../core/table-schema.ts'

/** Quotes an identifier. */
export function name(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}

/** Quotes a text literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** A list of text literals: `['a', 'b']`. */
export function listLiteral(texts: string[]): string {
  return `[${texts.map(literal).join(', ')}]`
}

/**
 * A file by its name: readers take patterns, in which `x[1].csv` means x1.csv. A character in brackets stands
 * for itself; patterns have no other escape.
 */
export function fileLiteral(path: string): string {
  return literal(asPattern(path))
}

/** Files by their names: `['a', 'b']`. */
export function fileList(paths: string[]): string {
  return listLiteral(paths.map(asPattern))
}

/**
 * The rows of our Parquet files. A missing column is null. Values in the path are not columns: DuckDB would
 * add them, and let `.../title=x/...` win over a column title.
 */
export function parquetRows(paths: string[], ...options: string[]): string {
  return `read_parquet(${[fileList(paths), 'union_by_name = true', 'hive_partitioning = false', ...options].join(', ')})`
}

/** The pattern that matches only this name. */
export function asPattern(path: string): string {
  return path.replace(/[[?*]/g, (sign) => `[${sign}]`)
}

/** DuckDB's type for a table type. */
export function duckType(type: DeltaType): string {
  if (typeof type !== 'string') {
    if (type.type === 'array') return `${duckType(type.elementType)}[]`
    return `STRUCT(${type.fields.map((field) => `${name(field.name)} ${duckType(field.type)}`).join(', ')})`
  }
  const plain: Record<string, string> = {
    string: 'VARCHAR',
    integer: 'INTEGER',
    long: 'BIGINT',
    double: 'DOUBLE',
    boolean: 'BOOLEAN',
    binary: 'BLOB',
    date: 'DATE',
    timestamp: 'TIMESTAMPTZ',
  }
  return plain[type] ?? type.toUpperCase()
}

/** The type in which a stage holds values of this kind before the cast. */
export function stageType(kind: string, type: DeltaType): string {
  if (kind !== 'text') return duckType(type)
  return type === 'binary' ? 'BLOB' : 'VARCHAR'
}

/** The expression that turns a staged column into the table's type. */
export function stagedExpression(column: string, kind: string, type: DeltaType): string {
  if (kind !== 'text' || type === 'string' || type === 'binary') return name(column)
  const source = typeof type === 'string' ? name(column) : `${name(column)}::JSON`
  return `CAST(${source} AS ${duckType(type)}) AS ${name(column)}`
}

export function derivedExpression(column: DerivedColumn): string {
  if ('sameAs' in column) return `${name(column.sameAs)} AS ${name(column.name)}`
  const value = column.value === null ? 'NULL' : literal(String(column.value))
  return `CAST(${value} AS ${duckType(column.type)}) AS ${name(column.name)}`
}

/** A partition value from the Delta log (text), cast back to the column's type. */
export function partitionExpression(column: string, type: DeltaType, value: string | null): string {
  return derivedExpression({ name: column, type, value })
}
