/**
 * Rows of an Arrow batch as plain values: numbers, texts, booleans; long integers as bigint, times as
 * milliseconds, decimals as text.
 */
import {
  DataType,
  Table,
  Utf8,
  makeVector,
  tableFromIPC,
  tableToIPC,
  vectorFromArray,
  type Vector,
} from 'apache-arrow'

export type SparkRow = Record<string, unknown>

/** Each row as an object by column name. */
export function* arrowRows(bytes: Uint8Array): Generator<SparkRow> {
  const table = tableFromIPC(bytes)
  const columns = table.schema.fields.map((field) => ({
    name: field.name,
    type: field.type,
    vector: table.getChild(field.name) as Vector,
  }))
  for (let row = 0; row < table.numRows; row += 1)
    yield Object.fromEntries(
      columns.map(({ name, type, vector }) => [name, plainValue(vector.get(row), type)]),
    )
}

function plainValue(value: unknown, type: DataType): unknown {
  if (value === null || value === undefined) return null
  if (DataType.isDecimal(type)) return decimalText(value as Uint32Array, type.scale)
  if (DataType.isList(type))
    return [...(value as Iterable<unknown>)].map((item) => plainValue(item, type.children[0].type))
  if (DataType.isStruct(type))
    return Object.fromEntries(
      type.children.map((child) => [
        child.name,
        plainValue((value as Record<string, unknown>)[child.name], child.type),
      ]),
    )
  return value
}

/** Arrow holds decimals as 128-bit two's complement integers, lowest word first. */
function decimalText(words: Uint32Array, scale: number): string {
  let unscaled = BigInt.asIntN(
    128,
    [...words].reduceRight((sum, word) => (sum << 32n) | BigInt(word >>> 0), 0n),
  )
  const sign = unscaled < 0n ? '-' : ''
  if (unscaled < 0n) unscaled = -unscaled
  const digits = unscaled.toString().padStart(scale + 1, '0')
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/**
 * A batch by column, for results too large for an object per row. Values are Arrow's own: bytes are valid as
 * long as the batch.
 */
export function arrowColumns(bytes: Uint8Array): {
  rows: number
  column(name: string): (row: number) => unknown
} {
  const table = tableFromIPC(bytes)
  return {
    rows: table.numRows,
    column(name) {
      const vector = table.getChild(name) as Vector
      return (row) => vector.get(row)
    },
  }
}

/** Columns as the data of a local relation. */
export function arrowTable(
  columns: Record<string, Int32Array | Float64Array | BigInt64Array | string[]>,
): Uint8Array {
  return tableToIPC(
    new Table(
      Object.fromEntries(
        Object.entries(columns).map(([name, values]) => [
          name,
          Array.isArray(values) ? vectorFromArray(values, new Utf8()) : makeVector(values),
        ]),
      ),
    ),
    'stream',
  )
}
