/**
 * Rows on their way out of a decoder that runs beside an engine: one line a row, one field a column. What both sides must
 * agree on stands here. Lines are read by Spark's script transform, which knows no quoting: a text that holds a separator
 * travels as base64 behind a mark instead.
 */
import type { StageColumn, StageRows } from '../core/engine.ts'
import { REJECT_COLUMNS } from '../core/raw-columns.ts'
import type { ColumnValues } from '../core/rows.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import { deltaType } from '../planning/table-layout.ts'
import { columnKind } from '../quality/column-check.ts'
import { stagedOrigin } from './row-columns.ts'

export const FIELD_SEPARATOR = '\u0001'
/** A field that begins with it goes on in base64. */
export const ENCODED = '\u0003'
export const NULL_FIELD = '\\N'

/** What a line is: a row of RAW, or (last line of a decoder) what it counted, as JSON in `reject_reason`. */
export const OUTCOMES = ['accepted', 'quarantined', 'report'] as const

export type Outcome = (typeof OUTCOMES)[number]

/** The columns of a line behind its outcome. */
export interface LineColumns {
  /** A field each. */
  own: StageColumn[]
  /** All together in the last field, which most rows leave null: Spark spends a microsecond on each field of a row. Texts only. */
  rare: StageColumn[]
}

/** Between the texts of the last field. */
export const RARE_SEPARATOR = '\u0002'

const RARE = ['message_headers', ...REJECT_COLUMNS.map((column) => column.name)]

export function lineColumns(dataset: Dataset, columns: Column[]): LineColumns {
  const all = [...columns.map((column): StageColumn => ({ name: column.name, kind: columnKind(column), type: deltaType(column) })), ...stagedOrigin(dataset), ...REJECT_COLUMNS]
  return { own: all.filter((column) => !RARE.includes(column.name)), rare: all.filter((column) => RARE.includes(column.name)) }
}

export interface RowPrinter {
  /** Prints rows whose columns are the named ones, in their order. */
  print(outcome: Outcome, rows: StageRows, names: string[]): void
  report(text: string): void
  flush(): void
}

const BUFFER_BYTES = 1 << 20
const SEPARATOR = 1
const RARE_SEPARATOR_BYTE = 2
const NEWLINE = 10
const LARGEST_FIXED_FIELD = 32

/** `write` takes all bytes before it returns; they are valid during the call. */
export function createRowPrinter({ own, rare }: LineColumns, write: (bytes: Buffer) => void): RowPrinter {
  let out = Buffer.allocUnsafe(BUFFER_BYTES)
  let at = 0
  const flush = (): void => {
    if (at > 0) write(out.subarray(0, at))
    at = 0
  }
  const room = (bytes: number): void => {
    if (at + bytes <= out.length) return
    flush()
    if (bytes > out.length) out = Buffer.allocUnsafe(bytes)
  }
  const ascii = (text: string): void => {
    room(text.length)
    at += out.write(text, at, 'latin1')
  }
  /** Copies bytes that need no encoding; false (and nothing copied) when they do. */
  const plain = (bytes: Uint8Array, start: number, length: number): boolean => {
    room(length)
    for (let i = 0; i < length; i += 1) {
      const byte = bytes[start + i]
      if (byte < 0x20) return false
      out[at + i] = byte
    }
    // A text that reads like a null is none.
    if (length === 2 && bytes[start] === 0x5c && bytes[start + 1] === 0x4e) return false
    at += length
    return true
  }
  const text = (bytes: Uint8Array, start: number, length: number): void => {
    if (!plain(bytes, start, length)) ascii(ENCODED + Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString('base64'))
  }
  const value = (column: StageColumn, values: ColumnValues, row: number, bytes: Uint8Array): void => {
    if (values.valid[row] === 0) ascii(NULL_FIELD)
    else if (column.kind === 'text' && column.type === 'binary') ascii(Buffer.from(bytes.buffer, bytes.byteOffset + values.spans[row * 2], values.spans[row * 2 + 1]).toString('base64'))
    else if (column.kind === 'text') text(bytes, values.spans[row * 2], values.spans[row * 2 + 1])
    else ascii(numberText(column.kind, values, row))
  }
  const separate = (byte: number): void => {
    room(LARGEST_FIXED_FIELD)
    out[at++] = byte
  }
  /** The last field: null, or all of the rare columns. */
  const printRare = (rows: StageRows, row: number, indexes: number[]): void => {
    separate(SEPARATOR)
    if (!indexes.some((index) => index >= 0 && rows.columns[index].valid[row] === 1)) return ascii(NULL_FIELD)
    rare.forEach((column, i) => {
      if (i > 0) separate(RARE_SEPARATOR_BYTE)
      if (indexes[i] < 0) ascii(NULL_FIELD)
      else value(column, rows.columns[indexes[i]], row, rows.text.bytes)
    })
  }
  return {
    print(outcome, rows, names) {
      const ownIndexes = own.map((column) => names.indexOf(column.name))
      const rareIndexes = rare.map((column) => names.indexOf(column.name))
      for (let n = 0; n < rows.count; n += 1) {
        const row = rows.selection[n]
        ascii(outcome)
        for (let i = 0; i < own.length; i += 1) {
          separate(SEPARATOR)
          if (ownIndexes[i] < 0) ascii(NULL_FIELD)
          else value(own[i], rows.columns[ownIndexes[i]], row, rows.text.bytes)
        }
        printRare(rows, row, rareIndexes)
        separate(NEWLINE)
      }
    },
    report(json) {
      const bytes = Buffer.from(json)
      ascii('report')
      for (let i = 0; i < own.length; i += 1) ascii(FIELD_SEPARATOR + NULL_FIELD)
      separate(SEPARATOR)
      rare.forEach((column, i) => {
        if (i > 0) separate(RARE_SEPARATOR_BYTE)
        if (column.name === 'reject_reason') text(bytes, 0, bytes.length)
        else ascii(NULL_FIELD)
      })
      separate(NEWLINE)
    },
    flush,
  }
}

const TWO_32 = 4_294_967_296
const EXACT_HIGH = 2_097_151

function numberText(kind: ColumnValues['kind'], values: ColumnValues, row: number): string {
  if (kind === 'int32') return String(values.int32[row])
  if (kind === 'boolean') return values.int32[row] === 1 ? 'true' : 'false'
  if (kind === 'double') return Object.is(values.double[row], -0) ? '-0.0' : String(values.double[row])
  const [low, high] = [values.words[row * 2] >>> 0, values.words[row * 2 + 1]]
  if (high >= -EXACT_HIGH && high <= EXACT_HIGH) return String(high * TWO_32 + low)
  return String((BigInt(high) << 32n) | BigInt(low))
}
