/**
 * The canonical text of a value: array items are passed on as this text, rules compare it, and rejects show
 * it. Every reader, including DuckDB's casts, gets the same value from it.
 */
import { dateText, timestampText } from '../core/calendar.ts'
import { bigFromWords, type ColumnValues } from '../core/rows.ts'
import type { ScalarType } from '../dataset/declaration.ts'
import { read, type TextBytes } from './text-bytes.ts'

const MICROS = 1_000_000n

/** Canonical text of a row's value. The row must have one. */
export function canonicalText(type: ScalarType, values: ColumnValues, text: TextBytes, row: number): string {
  switch (type) {
    case 'integer':
      return String(values.int32[row])
    case 'boolean':
      return values.int32[row] === 1 ? 'true' : 'false'
    case 'double':
      return String(values.double[row])
    case 'date':
      return dateText(values.int32[row])
    case 'long':
      return longText(values.words, row)
    case 'timestamp': {
      const micros = bigFromWords(values.words, row)
      const ofSecond = ((micros % MICROS) + MICROS) % MICROS
      return timestampText(Number((micros - ofSecond) / MICROS), Number(ofSecond))
    }
    default:
      return read(text, values.spans[row * 2], values.spans[row * 2 + 1])
  }
}

/** Numbers of up to 53 bits need no BigInt. */
function longText(words: Int32Array, row: number): string {
  const high = words[row * 2 + 1]
  if (high >= -2_097_152 && high < 2_097_152) return String(high * 4_294_967_296 + (words[row * 2] >>> 0))
  return String(bigFromWords(words, row))
}

/** Order of two canonical decimals, exact at any number of digits: negative, 0 or positive. */
export function compareDecimals(a: string, b: string): number {
  // Up to 15 digits, different decimals are different doubles, in the same order.
  if (a.length <= 15 && b.length <= 15) return Number(a) - Number(b)
  const negative = a.startsWith('-')
  if (negative !== b.startsWith('-')) return negative ? -1 : 1
  return negative ? compareSizes(b.slice(1), a.slice(1)) : compareSizes(a, b)
}

function compareSizes(a: string, b: string): number {
  const [aWhole, aFraction = ''] = a.split('.')
  const [bWhole, bFraction = ''] = b.split('.')
  if (aWhole.length !== bWhole.length) return aWhole.length - bWhole.length
  if (aWhole !== bWhole) return aWhole < bWhole ? -1 : 1
  if (aFraction === bFraction) return 0
  return aFraction < bFraction ? -1 : 1
}
