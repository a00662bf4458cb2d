/**
 * Dates and times in samples: formats that the sample proves, and the instant of a text in such a format,
 * computed independently of the checks.
 */

export interface TemporalDraft {
  type: 'date' | 'timestamp'
  /** `format` and `timezone`, where needed. */
  settings: Record<string, string>
  notes: string[]
}

const ISO =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/
const OTHER = /^(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?:([T ])(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?)?$/
const COMPACT = /^(\d{4})(\d{2})(\d{2})$/
const NAMED_DATE = /(^|_)(date|day|dt|datum|on|at)(_|$)|date$/

export function inferTemporal(texts: readonly string[], name: string): TemporalDraft | undefined {
  return isoDraft(texts) ?? otherDraft(texts) ?? compactDraft(texts, name)
}

function isoDraft(texts: readonly string[]): TemporalDraft | undefined {
  const parts = texts.map((text) => ISO.exec(text))
  if (!parts.every((part) => part !== null)) return undefined
  if (parts.every((part) => part[4] === undefined))
    return allThere(texts, { type: 'date', settings: {}, notes: [] })
  const offsets = new Set<string | undefined>(parts.map((part) => part[8]))
  // A date among times, or a time without an offset among others with one, may be in another zone.
  if (parts.some((part) => part[4] === undefined) || (offsets.has(undefined) && offsets.size > 1))
    return undefined
  if (parts.some((part) => /[1-9]/.test((part[7] ?? '').slice(6)))) return undefined
  if (offsets.has(undefined))
    return allThere(texts, { type: 'timestamp', settings: { timezone: 'UTC' }, notes: [NO_OFFSET] })
  const others = [...offsets].filter((offset) => offset !== undefined && !/^(Z|[+-]00(:?00)?)$/.test(offset))
  const notes =
    others.length === 0
      ? []
      : [`the column keeps the instant, not the offset (${others.slice(0, 3).join(', ')})`]
  return allThere(texts, { type: 'timestamp', settings: {}, notes })
}

const NO_OFFSET = 'the values have no offset and are read as UTC; set timezone to their time zone'

/** Day, month and year in another order, which a day above 12 must prove. */
function otherDraft(texts: readonly string[]): TemporalDraft | undefined {
  const parts = texts.map((text) => OTHER.exec(text))
  if (!parts.every((part) => part !== null)) return undefined
  const [first] = parts
  const same = parts.every(
    (part) =>
      part[2] === first[2] &&
      part[5] === first[5] &&
      (part[8] === undefined) === (first[8] === undefined) &&
      part[9]?.length === first[9]?.length,
  )
  if (!same) return undefined
  const yearFirst = parts.every((part) => part[1].length === 4 && part[4].length <= 2)
  const yearLast = parts.every((part) => part[4].length === 4 && part[1].length <= 2)
  if (!yearFirst && !yearLast) return undefined
  const [leftAt, rightAt] = yearFirst ? [3, 4] : [1, 3]
  const [leftAbove, rightAbove] = [leftAt, rightAt].map((at) => parts.some((part) => Number(part[at]) > 12))
  if (leftAbove === rightAbove) return undefined
  const order = leftAbove ? ['d', 'M'] : ['M', 'd']
  const widths = [leftAt, rightAt].map((at) => (parts.every((part) => part[at].length === 2) ? 2 : 1))
  const [left, right] = order.map((letter, i) => letter.repeat(widths[i]))
  const date = yearFirst ? ['yyyy', left, right] : [left, right, 'yyyy']
  const time =
    first[6] === undefined
      ? ''
      : `${first[5] === 'T' ? "'T'" : ' '}HH:mm${first[8] === undefined ? '' : ':ss'}${first[9] === undefined ? '' : `.${'S'.repeat(first[9].length)}`}`
  const format = `${date.join(first[2])}${time}`
  const proof = `a day above 12 proves the format (${texts.find((_, i) => Number(parts[i][leftAbove ? leftAt : rightAt]) > 12)})`
  return allThere(
    texts,
    time === ''
      ? { type: 'date', settings: { format }, notes: [proof] }
      : { type: 'timestamp', settings: { format, timezone: 'UTC' }, notes: [proof, NO_OFFSET] },
  )
}

/** Eight digits may also be a number: the name of the column must say date, and all values must be days. */
function compactDraft(texts: readonly string[], name: string): TemporalDraft | undefined {
  if (texts.length < 3 || !NAMED_DATE.test(name)) return undefined
  const parts = texts.map((text) => COMPACT.exec(text))
  if (!parts.every((part) => part !== null && /^(19|20)/.test(part[1]))) return undefined
  if (!parts.some((part) => Number(part?.[3]) > 12)) return undefined
  return allThere(texts, {
    type: 'date',
    settings: { format: 'yyyyMMdd' },
    notes: ['the name says date, and all values are valid days of eight digits'],
  })
}

function allThere(texts: readonly string[], draft: TemporalDraft): TemporalDraft | undefined {
  const format = draft.settings.format ?? 'iso'
  return texts.every((text) => instantOf(text, draft.type, format) !== undefined) ? draft : undefined
}

const [DAY_US, FIRST_US, END_US] = [86_400_000_000n, -62_135_596_800_000_000n, 253_402_300_800_000_000n]

/**
 * Days (date) or microseconds (timestamp) since 1970 of a text in a format that is drafted here. Without an
 * offset, the text is in UTC.
 */
export function instantOf(text: string, type: 'date' | 'timestamp', format: string): bigint | undefined {
  const parts = format === 'iso' ? isoParts(text) : formatParts(text, format)
  if (parts === undefined) return undefined
  const { year, month, day, hour, minute, second } = parts
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (
    year < 1 ||
    date.getUTCMonth() !== month - 1 ||
    date.getUTCDate() !== day ||
    hour > 23 ||
    minute > 59 ||
    second > 59
  )
    return undefined
  const days = BigInt(date.getTime()) / 86_400_000n
  if (type === 'date') return days
  const seconds = BigInt(hour * 3600 + minute * 60 + second - parts.offsetSeconds)
  const instant = days * DAY_US + seconds * 1_000_000n + BigInt(parts.fraction.padEnd(6, '0').slice(0, 6))
  return instant < FIRST_US || instant >= END_US ? undefined : instant
}

interface Parts {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
  fraction: string
  offsetSeconds: number
}

function isoParts(text: string): Parts | undefined {
  const part = ISO.exec(text)
  if (part === null) return undefined
  const [year, month, day, hour, minute, second] = part.slice(1, 7).map((digits) => Number(digits ?? 0))
  const [, sign, hours, minutes] = /([+-])(\d{2}):?(\d{2})?/.exec(part[8] ?? '') ?? []
  const offset = Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60
  if (offset > 18 * 3600 || Number(minutes ?? 0) > 59) return undefined
  return {
    year,
    month,
    day,
    hour,
    minute,
    second,
    fraction: part[7] ?? '',
    offsetSeconds: sign === '-' ? -offset : offset,
  }
}

function formatParts(text: string, format: string): Parts | undefined {
  const letters = format.replaceAll("'", '').match(/y+|M+|d+|H+|m+|s+|S+/g) ?? []
  const digits = format === 'yyyyMMdd' ? COMPACT.exec(text)?.slice(1) : text.match(/\d+/g)
  if (digits?.length !== letters.length) return undefined
  const of = (letter: string, otherwise: string): string =>
    digits[letters.findIndex((group) => group.startsWith(letter))] ?? otherwise
  const [year, month, day, hour, minute, second] = ['y', 'M', 'd', 'H', 'm', 's'].map((letter) =>
    Number(of(letter, '0')),
  )
  return { year, month, day, hour, minute, second, fraction: of('S', ''), offsetSeconds: 0 }
}
