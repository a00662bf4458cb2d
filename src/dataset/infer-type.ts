/**
 * Finds the narrowest type that keeps each value of a sample unchanged, and notes for the person who reviews
 * the draft.
 */
import type { Writing } from '../core/outline.ts'
import type { ScalarType } from './declaration.ts'
import { inferNumber } from './infer-number.ts'
import { inferTemporal } from './infer-temporal.ts'

export interface TypeDraft {
  type: ScalarType
  /** Settings of the column: precision, scale, format, timezone, trim, nulls. */
  settings: Record<string, unknown>
  notes: string[]
}

export interface TypeOptions {
  writing: Writing
  /** The column's name: it tells codes and dates from numbers if the digits alone do not. */
  name: string
  /** Types that were tried and changed a value. */
  barred: ReadonlySet<ScalarType>
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const NUMBER_LIKE = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/

export function inferType(values: readonly string[], options: Partial<TypeOptions> = {}): TypeDraft {
  const { writing = 'text', name = '', barred = new Set() } = options
  const isBarred = (type: ScalarType): boolean => barred.has(type)
  const distinct = [...new Set(values)]
  if (writing === 'json') return textDraft(distinct, [])
  // In JSON, an empty string is a value. Elsewhere, it means a missing value, unless the column holds texts.
  const texts =
    writing === 'text' ? [...new Set(distinct.map(trimmed))].filter((text) => text !== '') : distinct
  if (texts.length === 0) return textDraft(distinct, values.length === 0 ? [] : ['all values are empty'])
  if (writing === 'boolean' && !isBarred('boolean')) return { type: 'boolean', settings: {}, notes: [] }
  const number = writing === 'string' ? quotedNumbers(texts) : numberDraft(texts, writing, name, isBarred)
  if (typeof number === 'string') return textDraft(distinct, [number])
  const notes: string[] = []
  return (
    number ??
    wordDraft(texts, name, isBarred, notes) ??
    textDraft(distinct, [...notes, ...numbersAmong(values, distinct)])
  )
}

/** Why texts that are all numbers stay texts. */
const quotedNumbers = (texts: string[]): string | undefined =>
  texts.every((text) => NUMBER_LIKE.test(text)) ? 'kept as text: the numbers are in quotes' : undefined

/**
 * A draft of numbers, or of dates written as numbers. A text as the result is the reason why numbers stay
 * texts.
 */
function numberDraft(
  texts: string[],
  writing: Writing,
  name: string,
  isBarred: (type: ScalarType) => boolean,
): TypeDraft | string | undefined {
  const temporal = writing === 'text' ? compactDate(texts, name, isBarred) : undefined
  return temporal ?? inferNumber(texts, writing, name, isBarred)
}

function compactDate(
  texts: string[],
  name: string,
  isBarred: (type: ScalarType) => boolean,
): TypeDraft | undefined {
  if (isBarred('date') || !texts.every((text) => /^\d{8}$/.test(text))) return undefined
  return inferTemporal(texts, name)
}

function wordDraft(
  texts: string[],
  name: string,
  isBarred: (type: ScalarType) => boolean,
  notes: string[],
): TypeDraft | undefined {
  if (texts.every((text) => UUID.test(text)) && !isBarred('uuid')) {
    if (texts.every((text) => text === text.toLowerCase())) return { type: 'uuid', settings: {}, notes: [] }
    notes.push('kept as text: type uuid would change capital letters to lower case')
  }
  if (texts.every((text) => /^(true|false)$/i.test(text)) && !isBarred('boolean'))
    return { type: 'boolean', settings: {}, notes: [] }
  const temporal = inferTemporal(texts, name)
  return temporal === undefined || isBarred(temporal.type) ? undefined : temporal
}

/** Any text. White space at the ends, and empty texts, are kept where the sample has them. */
function textDraft(distinct: readonly string[], notes: string[]): TypeDraft {
  const padded = distinct.filter((text) => text !== trimmed(text))
  const hasEmpty = distinct.includes('') && distinct.length > 1
  if (padded.length > 0)
    notes.push(`keeps white space at the ends (${JSON.stringify(padded[0].slice(0, 40))})`)
  if (hasEmpty) notes.push('keeps empty texts instead of null')
  return {
    type: 'string',
    settings: {
      ...(padded.length > 0 ? { trim: false } : {}),
      ...(distinct.includes('') ? { nulls: [] } : {}),
    },
    notes,
  }
}

/** Numbers with a few words between them: the column could hold numbers, with words that mean null. */
function numbersAmong(values: readonly string[], distinct: readonly string[]): string[] {
  const others = distinct.filter((text) => text !== '' && !NUMBER_LIKE.test(trimmed(text)))
  const numbers = values.filter((text) => NUMBER_LIKE.test(trimmed(text))).length
  if (others.length === 0 || others.length > 5 || numbers < values.length / 2) return []
  const words = others.map((text) => JSON.stringify(text.slice(0, 20))).join(', ')
  return [
    `${numbers.toLocaleString('en-US')} of ${values.length.toLocaleString('en-US')} values are numbers, the others are ${words}. If these mean null, add nulls: ["", ${words}]`,
  ]
}

/** Without the white space that columns cut by default: everything up to the blank. */
export function trimmed(text: string): string {
  let [start, end] = [0, text.length]
  while (start < end && text.charCodeAt(start) <= 32) start += 1
  while (end > start && text.charCodeAt(end - 1) <= 32) end -= 1
  return text.slice(start, end)
}
