/**
 * Texts of dates and times in each format and zone, about the days on which clocks changed and past the ends
 * of months.
 */
import type { Draw } from './draw.ts'

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
/**
 * Zones with what is odd about them: half hours, two hours, whole days, seconds, changes at midnight and in
 * winter.
 */
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

interface Moment {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
  fraction: string
}

function yearLike(draw: Draw): number {
  if (draw.often(0.3))
    return draw.oneOf([0, 1, 2, 1582, 1600, 1899, 1900, 1970, 2000, 2038, 2200, 2600, 9998, 9999])
  return draw.often(0.5) ? 1900 + draw.below(150) : draw.below(10_000)
}

function momentLike(draw: Draw): Moment {
  const [year, month, day] = draw.often(0.35)
    ? draw.oneOf(CHANGE_DAYS).split('-').map(Number)
    : [
        yearLike(draw),
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

export function temporalLike(draw: Draw, format: string): string {
  const moment = momentLike(draw)
  if (format === 'iso') return isoLike(draw, moment)
  return format.replace(/'((?:[^']|'')*)'|([A-Za-z])\2*/g, (token: string, quoted: string | undefined) => {
    if (quoted === undefined) return rendered(draw, token, moment)
    return token === "''" ? "'" : quoted.replaceAll("''", "'")
  })
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
  const hour12 = draw.often(0.05) ? m.hour : m.hour % 12 || 12
  const value =
    { y: m.year, M: m.month, d: m.day, H: m.hour, h: hour12, m: m.minute, s: m.second }[token[0]] ?? 0
  return String(value).padStart(draw.often(0.03) ? 1 : token.length, '0')
}
