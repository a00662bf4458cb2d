/** The one place where Spark's SQL text is put together: quoting, types, literals. */
import type { StageColumn } from '../../core/engine.ts'
import type { DeltaType } from '../../core/table-schema.ts'

/** Quotes an identifier. */
export function name(identifier: string): string {
  return `\`${identifier.replaceAll('`', '``')}\``
}

/** Quotes a text literal. Spark reads backslashes as escapes. */
export function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

/** Spark's type for a table type. */
export function sparkType(type: DeltaType): string {
  if (typeof type !== 'string') {
    if (type.type === 'array') return `ARRAY<${sparkType(type.elementType)}>`
    return `STRUCT<${type.fields.map((field) => `${name(field.name)}: ${sparkType(field.type)}`).join(', ')}>`
  }
  const plain: Record<string, string> = { integer: 'INT', long: 'BIGINT' }
  return plain[type] ?? type.toUpperCase()
}

/** The same shape with texts at its leaves. */
function textShape(type: DeltaType): DeltaType {
  if (typeof type === 'string') return 'string'
  if (type.type === 'array') return { ...type, elementType: textShape(type.elementType) }
  return { ...type, fields: type.fields.map((field) => ({ ...field, type: textShape(field.type) })) }
}

/** A constant of a type; null for null. */
export function constant(value: string | null, type: DeltaType): string {
  return value === null ? `CAST(NULL AS ${sparkType(type)})` : `CAST(${literal(value)} AS ${sparkType(type)})`
}

const LINE_TYPES: Record<StageColumn['kind'], string> = { text: 'STRING', int32: 'INT', int64: 'BIGINT', double: 'DOUBLE', boolean: 'BOOLEAN' }

/** Type in which a decoder's field arrives: what is not a number is text. */
export function lineType(column: StageColumn): string {
  return LINE_TYPES[column.kind]
}

/** Expression that turns a decoder's field into the table's type. A value that does not fit is an error, never a null. */
export function fieldExpression(column: StageColumn, field: string, encodedMark: string): string {
  const { type } = column
  if (column.kind !== 'text') {
    if (type === 'timestamp') return `timestamp_micros(${field})`
    return type === 'date' ? `date_from_unix_date(${field})` : field
  }
  if (type === 'binary') return `unbase64(${field})`
  const text = `IF(startswith(${field}, ${literal(encodedMark)}), decode(unbase64(substr(${field}, 2)), 'UTF-8'), ${field})`
  if (type === 'string') return text
  return typeof type === 'string' ? `CAST(${text} AS ${sparkType(type)})` : `CAST(from_json(${text}, ${literal(sparkType(textShape(type)))}) AS ${sparkType(type)})`
}
