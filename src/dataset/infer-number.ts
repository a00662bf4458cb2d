/** Numbers in samples: finds the exact type that keeps each text, or the reason why there is none. */
import type { Writing } from '../core/outline.ts'
import type { ScalarType } from './declaration.ts'

export interface NumberDraft {
  type: ScalarType
  settings: Record<string, number>
  notes: string[]
}

interface Parts {
  text: string
  sign: string
  whole: string
  /** Undefined without a point. */
  fraction: string | undefined
  exponent: string | undefined
}

const NUMBER = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/
const DECIMAL_DIGITS = 38
/** How many more digits than in the sample a later value may have. */
const ROOM = 4
/**
 * Columns with such names hold codes: nobody adds their digits up, and they may start with a zero in the next
 * file.
 */
const CODE =
  /(^|_)(zip|zipcode|postal|postcode|postalcode|plz|phone|telephone|tel|mobile|fax|iban|bic|ssn|isbn|issn|ean|upc|gtin|card|barcode|account_(no|number)|vat|tax_id|fips|siret|siren)(_|$)/

/**
 * A text as the result is the reason why no numeric type keeps these values. Undefined: they are no numbers.
 */
export function inferNumber(
  texts: readonly string[],
  writing: Writing,
  name: string,
  isBarred: (type: ScalarType) => boolean,
): NumberDraft | string | undefined {
  const numbers = texts.map(partsOf)
  if (texts.length === 0 || !numbers.every((parts) => parts !== undefined)) return undefined
  const odd = numbers.map(oddness).find((reason) => reason !== undefined)
  if (odd !== undefined) return odd
  if (numbers.some((parts) => parts.exponent !== undefined)) return doubleDraft(numbers, writing, isBarred)
  if (numbers.every((parts) => parts.fraction === undefined))
    return integerDraft(numbers, writing, name, isBarred)
  return decimalDraft(numbers, writing, isBarred)
}

function partsOf(text: string): Parts | undefined {
  const match = NUMBER.exec(text)
  if (match === null || (match[2] === '' && !match[3])) return undefined
  return { text, sign: match[1], whole: match[2], fraction: match[3], exponent: match[4] }
}

/** What a number would lose. */
function oddness({ text, sign, whole, fraction, exponent }: Parts): string | undefined {
  if (sign === '+') return `kept as text: a number would lose the plus sign (${text})`
  if (/^0\d/.test(whole)) return `kept as text: a number would lose the leading zeros (${text})`
  if (sign === '-' && !/[1-9]/.test(whole + (fraction ?? '')))
    return `kept as text: a number would lose the minus sign of zero (${text})`
  if (fraction === '' && exponent === undefined)
    return `kept as text: a number would lose the point at the end (${text})`
  return undefined
}

const CHANGED = 'kept as text: as numbers, values of the sample would change'

function integerDraft(
  numbers: Parts[],
  writing: Writing,
  name: string,
  isBarred: (type: ScalarType) => boolean,
): NumberDraft | string {
  const digits = longest(numbers.map((parts) => parts.whole))
  if (writing === 'text' && CODE.test(name))
    return 'kept as text: by the name of the column, the digits are a code'
  if (digits <= 9 && !isBarred('integer')) return { type: 'integer', settings: {}, notes: [] }
  if (
    numbers.every((parts) => BigInt.asIntN(64, BigInt(parts.text)) === BigInt(parts.text)) &&
    !isBarred('long')
  )
    return { type: 'long', settings: {}, notes: [] }
  if (isBarred('decimal')) return CHANGED
  if (digits > DECIMAL_DIGITS) return `kept as text: no number type holds ${digits} digits`
  return {
    type: 'decimal',
    settings: { precision: Math.min(DECIMAL_DIGITS, digits + ROOM), scale: 0 },
    notes: [`up to ${digits} digits, more than type long holds`],
  }
}

/**
 * A decimal keeps the value of each text. It also keeps the text if all have the same number of digits after
 * the point, or are as short as possible. In a format where everything is text, `1.10` next to `1.5` is a
 * version or a label.
 */
function decimalDraft(
  numbers: Parts[],
  writing: Writing,
  isBarred: (type: ScalarType) => boolean,
): NumberDraft | string | undefined {
  const scales = new Set(numbers.map((parts) => parts.fraction?.length ?? 0))
  const [scale, whole] = [Math.max(...scales), longest(numbers.map((parts) => parts.whole))]
  if (writing === 'text' && !givesTextBack(numbers, scales))
    return `kept as text: the numbers have different counts of digits after the point (${examples(numbers)}), and a decimal would rewrite them`
  if (whole + scale > DECIMAL_DIGITS || isBarred('decimal')) return doubleDraft(numbers, writing, isBarred)
  const roomy = Math.min(scales.size === 1 ? scale : scale + 2, DECIMAL_DIGITS - whole)
  const precision = Math.min(DECIMAL_DIGITS, Math.max(18, whole + roomy + ROOM))
  return { type: 'decimal', settings: { precision, scale: roomy }, notes: [] }
}

function givesTextBack(numbers: Parts[], scales: Set<number>): boolean {
  const bare = numbers.some((parts) => parts.whole === '')
  if (bare && numbers.some((parts) => parts.whole === '0')) return false
  if (scales.size === 1) return true
  // Money: 5 and 3.50.
  if (scales.size === 2 && scales.has(0) && scales.has(2)) return true
  const fractions = numbers.map((parts) => parts.fraction)
  const shortest = fractions.every(
    (fraction) => fraction === undefined || fraction === '0' || !fraction.endsWith('0'),
  )
  return shortest && !(fractions.includes(undefined) && fractions.includes('0'))
}

function examples(numbers: Parts[]): string {
  const padded = numbers.find((parts) => parts.fraction?.endsWith('0') === true) ?? numbers[0]
  const other = numbers.find((parts) => parts.fraction?.length !== padded.fraction?.length) ?? numbers[0]
  return `${padded.text}, ${other.text}`
}

function doubleDraft(
  numbers: Parts[],
  writing: Writing,
  isBarred: (type: ScalarType) => boolean,
): NumberDraft | string {
  const bare = numbers.find((parts) => parts.fraction === undefined && parts.exponent === undefined)
  if (bare !== undefined && writing !== 'number')
    return `kept as text: some numbers are whole (${bare.text}), others have an exponent`
  const lost = numbers.find((parts) => !survivesDouble(parts.text))
  if (lost !== undefined) return `kept as text: ${lost.text} has more digits than a double keeps`
  return isBarred('double') ? CHANGED : { type: 'double', settings: {}, notes: [] }
}

/** Whether text, double and shortest text mean the same number. */
export function survivesDouble(text: string): boolean {
  const value = Number(text)
  return Number.isFinite(value) && plainNumber(text) === plainNumber(String(value))
}

/**
 * A number in canonical form: sign, digits without zeros at their ends, and the power of ten of the last
 * digit.
 */
export function plainNumber(text: string): string {
  const parts = partsOf(text)
  if (parts === undefined) return `no number: ${text}`
  const digits = (parts.whole + (parts.fraction ?? '')).replace(/^0+/, '')
  const short = digits.replace(/0+$/, '')
  if (short === '') return '0'
  const power =
    BigInt(parts.exponent ?? 0) - BigInt(parts.fraction?.length ?? 0) + BigInt(digits.length - short.length)
  return `${parts.sign === '-' ? '-' : ''}${short}e${power}`
}

function longest(texts: string[]): number {
  return texts.reduce((most, text) => Math.max(most, text.length), 0)
}
