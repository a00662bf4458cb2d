/** The only place that builds Spark's SQL text: quoting, types, literals. */
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

/** A constant of a type; null for null. */
export function constant(value: string | null, type: DeltaType): string {
  return value === null ? `CAST(NULL AS ${sparkType(type)})` : `CAST(${literal(value)} AS ${sparkType(type)})`
}
