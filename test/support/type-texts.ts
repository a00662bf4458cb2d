/**
 * Texts for each type, valid, at the edges and wrong, from a seed; and what an independent model in Python
 * says of them. Any path that data takes can be held against `expectedOf`.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { ScalarType } from '../../src/dataset/declaration.ts'
import type { RawColumn } from '../../src/dataset/normalize.ts'
import { createChance, type Chance } from './chance.ts'

/** Settings of a column beside its name. */
export type TypeSettings = Pick<RawColumn, 'precision' | 'scale' | 'format' | 'timezone' | 'trim'> & {
  type: ScalarType
}

export interface TypeCase {
  column: TypeSettings
  text: string
}

/**
 * `value` is canonical: whole numbers and decimals as digits, doubles as their eight bytes in hexadecimal,
 * dates and times as ISO in UTC with six digits of fraction where there are any.
 */
export type Verdict = { verdict: 'value'; value: string } | { verdict: 'null' } | { verdict: 'refused' }

export const SCALAR_TYPES: readonly ScalarType[] = [
  'string',
  'uuid',
  'integer',
  'long',
  'double',
  'decimal',
  'boolean',
  'date',
  'timestamp',
]

/** What the model in Python says of each case. */
export async function expectedOf(cases: TypeCase[]): Promise<Verdict[]> {
  const python = ['.headrace/test-venv/bin/python'].find((path) => existsSync(path)) ?? 'python3'
  const output = await new Promise<string>((done, failed) => {
    const child = execFile(python, ['test/support/type_model.py'], { maxBuffer: 1 << 29 }, (error, stdout) =>
      error === null ? done(stdout) : failed(error),
    )
    child.stdin?.end(JSON.stringify(cases))
  })
  return JSON.parse(output) as Verdict[]
}

/** So many cases of a type; the same for the same seed. Texts hold no lone surrogates. */
export function typeCases(type: ScalarType, count: number, seed: number): TypeCase[] {
  const draw = createDraw(createChance(seed))
  return Array.from({ length: count }, () => {
    const column = settingsOf(type, draw)
    return { column, text: around(draw, textOf(column, draw)) }
  })
}

interface Draw {
  below(limit: number): number
  oneOf<T>(choices: readonly T[]): T
  often(share: number): boolean
  digits(count: number): string
}

function createDraw(chance: Chance): Draw {
  // The low bits of the generator repeat soon; two draws make one that does not.
  const next = (): number => (chance() + Math.floor(chance() * 65_536)) / 65_536
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    below,
    oneOf: (choices) => choices[below(choices.length)],
    often: (share) => next() < share,
    digits: (count) => Array.from({ length: count }, () => String(below(10))).join(''),
  }
}

export const DECIMALS: readonly (readonly [number, number])[] = [
  [1, 0],
  [1, 1],
  [5, 2],
  [18, 2],
  [18, 18],
  [20, 6],
  [38, 0],
  [38, 19],
  [38, 37],
  [38, 38],
]
export const DATE_FORMATS = [
  'iso',
  'dd.MM.yyyy',
  'd/M/yyyy',
  'yyyyMMdd',
  'ddMMMyyyy',
  'EEE, d MMM yyyy',
  'MMMM d, yyyy',
  "yyyy'年'M'月'd'日'",
  "EEEE 'the' dd''MM''yyyy",
] as const
export const TIME_FORMATS = [
  'iso',
  'iso',
  'iso',
  'dd.MM.yyyy HH:mm',
  'yyyy-MM-dd HH:mm:ss',
  'yyyyMMddHHmmssSSS',
  "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
  'EEE, d MMM yyyy HH:mm:ss Z',
  'M/d/yyyy h:mm:ss a',
  'dd MMMM yyyy hh:mm a X',
  'yyyy-MM-dd HH:mm:ss.SSSSSSSSS',
  'dd/MMM/yyyy:HH:mm:ss Z',
  'H:m:s d.M.yyyy',
  'epoch_s',
  'epoch_ms',
  'epoch_us',
  'epoch_ns',
] as const
/** Zones with what is odd about them: half hours, two hours, whole days, seconds,
  changes at midnight and in winter. */
export const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'Asia/Kathmandu',
  'Africa/Monrovia',
  'America/Sao_Paulo',
  'Antarctica/Troll',
  'Europe/Dublin',
  'Asia/Singapore',
] as const
/** Local days on which their clocks changed. */
const CHANGE_DAYS = [
  '2026-03-29',
  '2026-10-25',
  '1893-04-01',
  '1945-05-24',
  '1980-04-06',
  '2024-03-10',
  '2024-11-03',
  '1883-11-18',
  '2024-04-07',
  '2024-10-06',
  '2011-12-29',
  '2011-12-30',
  '2011-12-31',
  '1986-01-01',
  '1972-01-07',
  '1918-02-28',
  '2018-02-17',
  '2018-02-18',
  '2017-10-15',
  '2024-03-31',
  '1981-12-31',
  '1982-01-01',
  '2500-03-28',
  '9000-10-26',
  '1900-02-29',
  '2000-02-29',
  '2100-02-29',
  '2024-02-29',
  '2023-02-29',
  '0001-01-01',
  '9999-12-31',
]

function settingsOf(type: ScalarType, draw: Draw): TypeSettings {
  const trim = draw.often(0.1) ? { trim: false } : {}
  if (type === 'decimal') {
    const [precision, scale] = draw.oneOf(DECIMALS)
    return { type, precision, scale, ...trim }
  }
  if (type === 'date') return { type, format: draw.oneOf(DATE_FORMATS), ...trim }
  if (type !== 'timestamp') return { type, ...trim }
  const format = draw.oneOf(TIME_FORMATS)
  const mayLack = format === 'iso' || /[XZ]/.test(format)
  if (format.startsWith('epoch') || (mayLack && draw.often(0.3))) return { type, format, ...trim }
  return { type, format, timezone: draw.oneOf(ZONES), ...trim }
}

function textOf(column: TypeSettings, draw: Draw): string {
  const clean = CLEAN[column.type](draw, column)
  return draw.often(0.12) ? spoiled(draw, clean) : clean
}

const CLEAN: Record<ScalarType, (draw: Draw, column: TypeSettings) => string> = {
  string: textLike,
  uuid: uuidLike,
  integer: (draw) => wholeLike(draw, EDGES_32),
  long: (draw) => wholeLike(draw, EDGES_64),
  double: doubleLike,
  decimal: decimalLike,
  boolean: (draw) =>
    draw.oneOf([
      'true',
      'false',
      'TRUE',
      'False',
      'tRUe',
      '1',
      '0',
      'yes',
      'no',
      't',
      'f',
      '2',
      '01',
      'on',
      'tru\u00e9',
      'fal\u017fe',
      'null',
      '-1',
      '1.0',
    ]),
  date: (draw, { format = 'iso' }) => temporalLike(draw, format),
  timestamp: (draw, { format = 'iso' }) =>
    format.startsWith('epoch') ? epochLike(draw) : temporalLike(draw, format),
}

const EDGES_32 = [
  '2147483647',
  '-2147483648',
  '2147483648',
  '-2147483649',
  '4294967296',
  '-0',
  '+0',
  '00',
  '0',
]
const EDGES_64 = [
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '-9223372036854775809',
  '9007199254740993',
  '-9007199254740993',
  '18446744073709551616',
  '4294967295',
  '-4294967296',
  '-1',
  '999999999999999',
  '1000000000000000',
]
const NO_NUMBERS = [
  '',
  '-',
  '+',
  'NaN',
  'nan',
  'Infinity',
  '-inf',
  '0x1F',
  '1_000',
  '1,5',
  '١٢',
  '１２',
  '--1',
  '+-1',
  '1 2',
  '−5',
  '1e5',
  '1.0',
  '.',
  '5.',
  '.5',
  'e5',
  '1e',
  '1e+',
  '1.e1',
  '1f',
  '1d',
  '1L',
  'null',
  '½',
  '1\u00a0',
  '\u20091',
  '#1',
]

function sign(draw: Draw): string {
  return draw.oneOf(['', '', '', '-', '-', '+'])
}

function zeros(draw: Draw): string {
  return draw.often(0.1) ? '0'.repeat(draw.below(40)) : ''
}

function wholeLike(draw: Draw, edges: readonly string[]): string {
  if (draw.often(0.1)) return draw.oneOf(NO_NUMBERS)
  if (draw.often(0.2)) return draw.oneOf(edges)
  return `${sign(draw)}${zeros(draw)}${draw.digits(1 + draw.below(draw.often(0.7) ? 11 : 45))}`
}

function decimalLike(draw: Draw, { precision = 18, scale = 2 }: TypeSettings): string {
  if (draw.often(0.1)) return draw.oneOf(NO_NUMBERS)
  // Around the column's own width, where the verdict turns.
  const near = (count: number): number => Math.max(0, count + draw.oneOf([-2, -1, 0, 0, 0, 1]))
  const whole = draw.often(0.7) ? draw.digits(near(precision - scale)) : draw.digits(draw.below(45))
  const fraction = draw.often(0.7) ? draw.digits(near(scale)) : draw.digits(draw.below(45))
  const tail = draw.often(0.2) ? '0'.repeat(draw.below(20)) : ''
  const nines = draw.often(0.1) ? '9'.repeat(precision - scale) : `${zeros(draw)}${whole}`
  return `${sign(draw)}${nines}${draw.often(0.75) ? `.${fraction}${tail}` : ''}${draw.often(0.03) ? 'e2' : ''}`
}

const EDGE_DOUBLES = [
  '1e400',
  '-1e999',
  '1.7976931348623157e308',
  '1.7976931348623158e308',
  '1.7976931348623159e308',
  '-1.797693134862315807e308',
  '179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123347747976',
  '5e-324',
  '2.4703282292062327e-324',
  '2.4703282292062328e-324',
  '1e-400',
  '-1e-400',
  '-0.0',
  '0.1',
  '0.30000000000000004',
  '9007199254740993',
  '9007199254740992.5',
  '2.2250738585072011e-308',
  '1e22',
  '1e23',
  '8.5e22',
  '123456789012345678',
  '0e999999999',
  '1e-999999999',
  '1E5',
  '.5e1',
  '5.e1',
  '1e05',
  '1e-22',
  '1e-23',
  '5e-23',
  '123456e-23',
  '7e-24',
  '899999999999999e22',
  '9007199254740991e22',
  '9007199254740993e1',
]

function doubleLike(draw: Draw): string {
  if (draw.often(0.1)) return draw.oneOf(NO_NUMBERS)
  if (draw.often(0.15)) return draw.oneOf(EDGE_DOUBLES)
  const digits = draw.often(0.7) ? 17 : 45
  const whole = draw.digits(draw.below(digits))
  const fraction = draw.often(0.6) ? `.${draw.digits(draw.below(digits))}` : ''
  const exponent = draw.often(0.3)
    ? `${draw.oneOf(['e', 'E'])}${sign(draw)}${draw.digits(1 + draw.below(3))}`
    : ''
  return `${sign(draw)}${zeros(draw)}${whole}${fraction}${exponent}`
}

function uuidLike(draw: Draw): string {
  const hex = (count: number): string =>
    Array.from({ length: count }, () => draw.oneOf([...'0123456789abcdef'])).join('')
  const made = [8, 4, 4, 4, 12].map(hex).join('-')
  return draw.oneOf([
    made,
    made,
    made.toUpperCase(),
    made.replaceAll('-', ''),
    `{${made}}`,
    made.slice(1),
    `${made}0`,
    made.replace('-', '_'),
    made.replace(/.$/, 'g'),
  ])
}

const PIECES = [
  'a',
  'Z',
  ' ',
  '  ',
  '\t',
  '\n',
  '\u0000',
  '\u001f',
  '\u00a0',
  '\u2003',
  '\ufeff',
  '"',
  "'",
  '\\',
  '\\n',
  '\\u0041',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  'null',
  'true',
  'é',
  'e\u0301',
  'ß',
  'İ',
  '漢字',
  '🙂',
  '👩‍👩‍👧',
  '\u202e',
  '\uffff',
  '\u{10ffff}',
  '0',
  '-',
  '%',
  '\u007f',
  '\u0085',
  '\u2028',
]

function textLike(draw: Draw): string {
  return Array.from({ length: draw.below(12) }, () => draw.oneOf(PIECES)).join('')
}

function epochLike(draw: Draw): string {
  if (draw.often(0.1)) return draw.oneOf(NO_NUMBERS)
  if (draw.often(0.15))
    return draw.oneOf([
      '253402300799',
      '253402300800',
      '-62135596800',
      '-62135596801',
      '253402300799999',
      '253402300800000',
      '-62135596800000001',
      '253402300799999999',
      '253402300799999999999',
      '-0',
      '0.9999999',
      '-0.0000009',
      '-0.000001',
      '-62135596800.0000001',
      '-62135596800.000001',
      '253402300799.9999999',
    ])
  return `${sign(draw)}${zeros(draw)}${draw.digits(1 + draw.below(20))}${draw.often(0.3) ? `.${draw.digits(draw.below(11))}` : ''}`
}

interface Moment {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
  fraction: string
}

function momentLike(draw: Draw): Moment {
  const [year, month, day] = draw.often(0.35)
    ? draw.oneOf(CHANGE_DAYS).split('-').map(Number)
    : [
        draw.often(0.3)
          ? draw.oneOf([0, 1, 2, 1582, 1600, 1899, 1900, 1970, 2000, 2038, 2200, 2600, 9998, 9999])
          : draw.often(0.5)
            ? 1900 + draw.below(150)
            : draw.below(10_000),
        draw.often(0.05) ? draw.oneOf([0, 13]) : 1 + draw.below(12),
        draw.often(0.1) ? draw.oneOf([0, 29, 30, 31, 32]) : 1 + draw.below(28),
      ]
  const atEdge = draw.often(0.1)
  return {
    year,
    month,
    day,
    hour: atEdge ? draw.oneOf([0, 23, 24, 12]) : draw.below(24),
    minute: atEdge ? draw.oneOf([0, 59, 60]) : draw.below(60),
    second: atEdge ? draw.oneOf([0, 59, 60]) : draw.below(60),
    fraction: draw.digits(9),
  }
}

const OFFSETS = [
  'Z',
  'Z',
  '+00:00',
  '-00:00',
  '+02',
  '-0530',
  '+02:00',
  '+14:00',
  '-12:00',
  '+18:00',
  '+18:01',
  '-18:00',
  '+19:00',
  '+02:60',
  '+2',
  '+02:0',
  '+2:00',
  '+020',
  'z',
  'UTC',
  'GMT',
  'EST',
  'CET',
  '+99:99',
  ' Z',
  '+02:00:00',
  'UT',
  'PDT',
  'A',
]

function temporalLike(draw: Draw, format: string): string {
  const moment = momentLike(draw)
  if (format === 'iso') return isoLike(draw, moment)
  return format.replace(/'((?:[^']|'')*)'|([A-Za-z])\2*/g, (token: string, quoted: string | undefined) =>
    quoted === undefined
      ? rendered(draw, token, moment)
      : token === "''"
        ? "'"
        : quoted.replaceAll("''", "'"),
  )
}

const two = (value: number): string => String(value).padStart(2, '0')

function isoLike(draw: Draw, m: Moment): string {
  const date = `${String(m.year).padStart(4, '0')}-${two(m.month)}-${two(m.day)}`
  if (draw.often(0.12)) return `${date}${draw.often(0.3) ? draw.oneOf(OFFSETS) : ''}`
  const seconds = draw.often(0.85) ? `:${two(m.second)}` : ''
  const fraction = draw.often(0.4)
    ? `${draw.oneOf(['.', '.', ','])}${m.fraction.slice(0, draw.below(10))}${draw.often(0.05) ? '0' : ''}`
    : ''
  return `${date}${draw.oneOf(['T', 'T', ' ', ' ', 't', '  ', '_'])}${two(m.hour)}:${two(m.minute)}${seconds}${fraction}${draw.often(0.6) ? draw.oneOf(OFFSETS) : ''}`
}

const MONTHS = [
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
]
const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']

function rendered(draw: Draw, token: string, m: Moment): string {
  const name = (full: string): string => {
    const word = token.length === 3 ? full.slice(0, 3) : full
    return draw.oneOf(
      [word, word, word, word.toUpperCase(), word.toLowerCase(), full, `${word}.`].slice(
        0,
        draw.often(0.1) ? 7 : 6,
      ),
    )
  }
  if (/^S+$/.test(token)) return m.fraction.slice(0, token.length)
  if (/^[XZ]/.test(token)) return draw.often(0.7) ? draw.oneOf(OFFSETS.slice(0, 10)) : draw.oneOf(OFFSETS)
  if (token.startsWith('E')) {
    const date = new Date(0)
    date.setUTCFullYear(m.year, m.month - 1, m.day)
    return name(WEEKDAYS[(date.getUTCDay() + (draw.often(0.05) ? 1 : 0)) % 7])
  }
  if (token.startsWith('MMM')) return name(MONTHS[(m.month + 11) % 12])
  if (token === 'a') return draw.oneOf(['AM', 'PM', 'am', 'pm', 'aM', 'AM', 'PM', 'a.m.', 'A'])
  const hour12 = draw.often(0.05) ? m.hour : m.hour % 12 === 0 ? 12 : m.hour % 12
  const value =
    { y: m.year, M: m.month, d: m.day, H: m.hour, h: hour12, m: m.minute, s: m.second }[token[0]] ?? 0
  return String(value).padStart(draw.often(0.03) ? 1 : token.length, '0')
}

/** One thing wrong: a character less, more, or another one. */
function spoiled(draw: Draw, text: string): string {
  const characters = [...text]
  const at = draw.below(characters.length + 1)
  const other = draw.oneOf([...' .,:-+/0123456789TZeE_x\u0660\u00a0\u2212\uff11\u017f', '\u0000', '\t'])
  characters.splice(at, draw.oneOf([0, 1, 1]), ...(draw.often(0.3) ? [] : [other]))
  return characters.join('')
}

/** White space that is trimmed, and some that is not. */
function around(draw: Draw, text: string): string {
  if (draw.often(0.85)) return text
  const blank = (): string =>
    draw.oneOf([
      '',
      ' ',
      '\t',
      '\n',
      '\r\n',
      '  ',
      '\u0000',
      '\u001f',
      '\u00a0',
      '\u2003',
      '\ufeff',
      '\u0085',
    ])
  return `${blank()}${text}${blank()}`
}
