/**
 * The dialect of date and time formats: a small closed set of letters, the same on every engine. Any other
 * format is refused with the position and a suggestion. The letters are a subset of Java's DateTimeFormatter;
 * `docs/reference/types.md` lists them for users.
 */

export type TemporalField =
  | 'year'
  | 'month'
  | 'day'
  | 'weekday'
  | 'hour'
  | 'hour12'
  | 'half'
  | 'minute'
  | 'second'
  | 'fraction'
  | 'offset'

export type TemporalStep =
  /** Literal characters. */
  | { kind: 'text'; text: string }
  /** A number of digits. */
  | { kind: 'number'; field: TemporalField; least: number; most: number }
  /** One of these English words in any case. Its index counts from 0. */
  | { kind: 'word'; field: TemporalField; words: readonly string[] }
  /** `Z`, `+02`, `+0200`, `+02:00`. With `named`, also the zones to which RFC 5322 gives an offset. */
  | { kind: 'offset'; field: 'offset'; named: boolean }

export interface FormatProblem {
  /** Position in the text of the format, from 1. */
  position: number
  message: string
  suggestion: string | undefined
}

/**
 * Formats that count since 1970-01-01T00:00:00Z, with the decimal places between their unit and the second.
 */
export const EPOCH_PLACES: Readonly<Record<string, number>> = {
  epoch_s: 0,
  epoch_ms: 3,
  epoch_us: 6,
  epoch_ns: 9,
}

export const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const
export const WEEKDAYS = [
  'Monday',
  'Tuesday',
  'Wednesday',
  'Thursday',
  'Friday',
  'Saturday',
  'Sunday',
] as const
const short = (words: readonly string[]): string[] => words.map((word) => word.slice(0, 3))

const number = (field: TemporalField, least: number, most: number): TemporalStep => ({
  kind: 'number',
  field,
  least,
  most,
})
const word = (field: TemporalField, words: readonly string[]): TemporalStep => ({
  kind: 'word',
  field,
  words,
})
const offset: TemporalStep = { kind: 'offset', field: 'offset', named: false }

const LETTERS: Readonly<Record<string, TemporalStep>> = {
  yyyy: number('year', 4, 4),
  MMMM: word('month', MONTHS),
  MMM: word('month', short(MONTHS)),
  MM: number('month', 2, 2),
  M: number('month', 1, 2),
  dd: number('day', 2, 2),
  d: number('day', 1, 2),
  EEEE: word('weekday', WEEKDAYS),
  EEE: word('weekday', short(WEEKDAYS)),
  HH: number('hour', 2, 2),
  H: number('hour', 1, 2),
  hh: number('hour12', 2, 2),
  h: number('hour12', 1, 2),
  a: word('half', ['AM', 'PM']),
  mm: number('minute', 2, 2),
  m: number('minute', 1, 2),
  ss: number('second', 2, 2),
  s: number('second', 1, 2),
  X: offset,
  XX: offset,
  XXX: offset,
  Z: { kind: 'offset', field: 'offset', named: true },
}

/** All fields except the fraction, which is one S per digit. */
export const FORMAT_LETTERS: readonly string[] = Object.keys(LETTERS)

interface PlacedStep {
  step: TemporalStep
  at: number
  token: string
}

/**
 * Parses a format. The result for an invalid one is the problem with its position. Not for `iso` and the
 * epoch formats.
 */
export function parseTemporalFormat(
  format: string,
  type: 'date' | 'timestamp',
): TemporalStep[] | FormatProblem {
  const placed = readSteps(format)
  if (!Array.isArray(placed)) return placed
  const problem = problemOf(placed, type, format)
  return problem ?? placed.map((part) => part.step)
}

/** Whether texts of this format state their offset: then no time zone is needed. */
export function saysOffset(steps: TemporalStep[]): boolean {
  return steps.some((step) => step.kind === 'offset')
}

function readSteps(format: string): PlacedStep[] | FormatProblem {
  const placed: PlacedStep[] = []
  const tokens = /'((?:[^']|'')*)'|'|([A-Za-z])\2*|[[\]{}#%]|[^A-Za-z'[\]{}#%]+/gu
  for (const match of format.matchAll(tokens)) {
    const [token, quoted] = match
    const at = match.index + 1
    if (token === "'")
      return {
        position: at,
        message: 'the quote is never closed',
        suggestion: "Write '' for a quote itself.",
      }
    if (/^[A-Za-z]/.test(token)) {
      const step = letterStep(token)
      if (step === undefined)
        return { position: at, message: `${token} is not a field`, suggestion: adviceOn(token) }
      placed.push({ step, at, token })
    } else if (/^[[\]{}#%]$/.test(token)) {
      return {
        position: at,
        message: `${token} is not supported`,
        suggestion: SIGNS[token] ?? `If the values contain it, quote it: '${token}'.`,
      }
    } else
      placed.push({
        step: { kind: 'text', text: token === "''" ? "'" : (quoted?.replaceAll("''", "'") ?? token) },
        at,
        token,
      })
  }
  return placed
}

function letterStep(token: string): TemporalStep | undefined {
  if (/^S{1,9}$/.test(token)) return number('fraction', token.length, token.length)
  return Object.hasOwn(LETTERS, token) ? LETTERS[token] : undefined
}

const SIGNS: Readonly<Record<string, string>> = {
  '%': 'Write yyyy MM dd HH mm ss, without %.',
  '[': "Optional parts are not supported. If the values contain [, quote it: '['.",
  ']': "Optional parts are not supported. If the values contain ], quote it: ']'.",
}

/** Advice for letters of other dialects (moment, strftime, Java's rare ones). */
const ADVICE: readonly [RegExp, string][] = [
  [
    /^yy$/,
    'Two digits leave the century open. Write yyyy for a year of four digits; declare other years as type string.',
  ],
  [/^[Yyu]/, 'Write yyyy for the year.'],
  [/^D/, 'Write dd for the day of the month.'],
  [/^d/, 'Write dd for the day of the month, and EEE (Mon) or EEEE (Monday) for the weekday.'],
  [/^[ML]/, 'Write MM (01), M (1), MMM (Jan) or MMMM (January) for the month.'],
  [/^[kKH]/, 'Write HH (00 to 23) for the hour, or hh (01 to 12) with a (AM, PM).'],
  [/^[EcC]/, 'Write EEE (Mon) or EEEE (Monday) for the weekday.'],
  [/^[SnNfF]/, 'Write one S for each digit of the fraction of a second, at most nine.'],
  [
    /^[zVvOx]/,
    'Write XXX (+02:00) or Z (+0200, GMT) for the offset. If the values have no offset, set timezone.',
  ],
  [/^[X]/, 'Write X, XX or XXX for the offset: Z, +02, +0200 or +02:00.'],
  [/^[Ap]/, 'Write a for AM and PM, with hh for the hour.'],
]

function adviceOn(token: string): string {
  return (
    ADVICE.find(([pattern]) => pattern.test(token))?.[1] ??
    `If the values contain these letters, quote them: '${token}'.`
  )
}

const NAMES: Readonly<Record<TemporalField, string>> = {
  year: 'the year',
  month: 'the month',
  day: 'the day',
  weekday: 'the weekday',
  hour: 'the hour',
  hour12: 'the hour',
  half: 'AM or PM',
  minute: 'the minutes',
  second: 'the seconds',
  fraction: 'the fraction',
  offset: 'the offset',
}
const NEEDED: readonly [TemporalField, string][] = [
  ['year', 'yyyy'],
  ['month', 'MM'],
  ['day', 'dd'],
]
const DATE_FIELDS: readonly TemporalField[] = ['year', 'month', 'day', 'weekday']
/** A field, and the fields of which it needs one. */
const LEANS_ON: readonly [TemporalField, TemporalField[], string][] = [
  ['hour12', ['half'], 'hh is 01 to 12 and needs a (AM, PM); HH is 00 to 23.'],
  ['half', ['hour12'], 'a is AM or PM and needs hh (01 to 12).'],
  ['minute', ['hour', 'hour12'], 'mm is minutes and needs an hour (HH); MM is the month.'],
  ['second', ['minute'], 'ss is seconds and needs minutes (mm).'],
  ['fraction', ['second'], 'S is the fraction of a second and needs seconds (ss).'],
  ['offset', ['hour', 'hour12'], 'An offset needs an hour (HH).'],
]

const OTHER_HOUR: Readonly<Partial<Record<TemporalField, TemporalField>>> = { hour: 'hour12', hour12: 'hour' }

function problemOf(
  placed: PlacedStep[],
  type: 'date' | 'timestamp',
  format: string,
): FormatProblem | undefined {
  const at = new Map<TemporalField, PlacedStep>()
  for (const part of placed) {
    const { step } = part
    if (step.kind === 'text') continue
    // HH and hh are both the hour: together, they are the same field twice.
    const other = OTHER_HOUR[step.field]
    const field = other !== undefined && at.has(other) ? other : step.field
    const first = at.get(field)
    if (first !== undefined)
      return {
        position: part.at,
        message: `${NAMES[field]} appears twice (also as ${first.token} at position ${first.at})`,
        suggestion: twiceAdvice(part, first),
      }
    at.set(field, part)
  }
  const time =
    type === 'date'
      ? placed.find(({ step }) => step.kind !== 'text' && !DATE_FIELDS.includes(step.field))
      : undefined
  if (time !== undefined)
    return {
      position: time.at,
      message: `${time.token} is part of a time, but the column has type date`,
      suggestion: time.token.startsWith('m') ? 'mm is minutes; MM is the month.' : 'Use type: timestamp.',
    }
  for (const [field, needs, suggestion] of LEANS_ON) {
    const part = at.get(field)
    if (part !== undefined && !needs.some((need) => at.has(need)))
      return { position: part.at, message: `${part.token} cannot stand alone`, suggestion }
  }
  for (const [field, letters] of NEEDED)
    if (!at.has(field))
      return {
        position: format.length + 1,
        message: `${NAMES[field]} (${letters}) is missing`,
        suggestion: 'A format needs a year, a month and a day.',
      }
  return ambiguity(placed)
}

function twiceAdvice(second: PlacedStep, first: PlacedStep): string | undefined {
  if (first.token.startsWith('M') || second.token.startsWith('M')) return 'MM is the month, mm is minutes.'
  if (first.token.startsWith('m')) return 'mm is minutes, MM is the month.'
  return undefined
}

/**
 * A field of one or two digits, or an offset, must not touch characters that could belong to it: `dM` reads
 * 111 in two ways.
 */
function ambiguity(placed: PlacedStep[]): FormatProblem | undefined {
  for (const [i, { step, token }] of placed.entries()) {
    const next = placed.at(i + 1)
    if (next === undefined || step.kind === 'text' || step.kind === 'word') continue
    if (step.kind === 'number' && step.least === step.most) continue
    const more = step.kind === 'number' ? /^\d/ : /^[\d:A-Za-z]/
    const touches =
      next.step.kind === 'text'
        ? more.test(next.step.text)
        : next.step.kind === 'number' || step.kind === 'offset'
    if (touches)
      return {
        position: next.at,
        message: `${token} has no fixed width, and ${next.token} follows it directly`,
        suggestion:
          step.kind === 'number'
            ? `Write ${token}${token}, which always has two digits.`
            : 'Put a blank between them.',
      }
  }
  return undefined
}
