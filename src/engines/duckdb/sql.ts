/** The one place where SQL text is put together: quoting, types, literals. */
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
 * A file by its name: readers take patterns, in which `x[1].csv` is x1.csv. A sign in brackets is itself, the
 * one escape that patterns have.
 */
export function fileLiteral(path: string): string {
  return literal(asPattern(path))
}

/** Files by their names: `['a', 'b']`. */
export function fileList(paths: string[]): string {
  return listLiteral(paths.map(asPattern))
}

/**
 * The rows of Parquet files of ours. What a file lacks is null. Values that stand in its path are none of its
 * columns: DuckDB would add them by itself, and let `.../title=x/...` win over a column title.
 */
export function parquetRows(paths: string[], ...options: string[]): string {
  return `read_parquet(${[fileList(paths), 'union_by_name = true', 'hive_partitioning = false', ...options].join(', ')})`
}

/** The pattern that matches this name alone. */
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

/** Type in which a stage holds values of this kind before they are cast. */
export function stageType(kind: string, type: DeltaType): string {
  if (kind !== 'text') return duckType(type)
  return type === 'binary' ? 'BLOB' : 'VARCHAR'
}

/** Expression that turns a staged column into the table's type. */
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

/** A partition value as the Delta log writes it (text), cast back to the column's type. */
export function partitionExpression(column: string, type: DeltaType, value: string | null): string {
  return derivedExpression({ name: column, type, value })
}
