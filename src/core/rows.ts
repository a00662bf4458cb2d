/**
 * Typed columns on their way from the checks to an engine. Text stays a span of the slab; numbers are typed
 * arrays. Only the rows of the selection are written.
 */

/**
 * One column. `valid[row]` is 1 when the row has a value. Int64 values are two 32-bit words, low word first.
 */
export interface ColumnValues {
  kind: 'text' | 'int32' | 'int64' | 'double' | 'boolean'
  valid: Uint8Array
  /** Text: start and length, two numbers per row. */
  spans: Int32Array
  int32: Int32Array
  words: Int32Array
  double: Float64Array
}

const NO_BYTES = new Uint8Array(0)
const NO_INTS = new Int32Array(0)
const NO_DOUBLES = new Float64Array(0)

export function createColumn(kind: ColumnValues['kind']): ColumnValues {
  return { kind, valid: NO_BYTES, spans: NO_INTS, int32: NO_INTS, words: NO_INTS, double: NO_DOUBLES }
}

/** Makes room for `rows` rows and drops old values: columns are filled again for each slab. */
export function ensureRows(column: ColumnValues, rows: number): void {
  if (column.valid.length >= rows) return
  const size = Math.max(2048, rows * 2)
  column.valid = new Uint8Array(size)
  if (column.kind === 'text') column.spans = new Int32Array(size * 2)
  if (column.kind === 'int32' || column.kind === 'boolean') column.int32 = new Int32Array(size)
  if (column.kind === 'int64') column.words = new Int32Array(size * 2)
  if (column.kind === 'double') column.double = new Float64Array(size)
}

const TWO_32 = 4_294_967_296

/** Writes an integer of up to 53 bits as two words, two's complement. */
export function setWords(words: Int32Array, row: number, value: number): void {
  const high = Math.floor(value / TWO_32)
  words[row * 2] = value - high * TWO_32
  words[row * 2 + 1] = high
}

/** An integer of 64 bits from its two words. */
export function bigFromWords(words: Int32Array, row: number): bigint {
  return (BigInt(words[row * 2 + 1]) << 32n) | BigInt(words[row * 2] >>> 0)
}
