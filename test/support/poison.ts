/**
 * A catalogue of bad messages: what each is made of in each format, and what must become of it. Values
 * follow the meaning of the types (docs); the rest are documents that are broken, foreign, too deep, too
 * wide or odd.
 */
import { addDocuments } from './poison-documents.ts'
import type { Format, Class } from './poison-classes.ts'

export const FORMATS: Format[] = ['xml', 'json', 'ndjson', 'csv']
export const DRIFTS = ['freeze', 'evolve', 'discard_value'] as const
export type Drift = (typeof DRIFTS)[number]

export interface Kind {
  name: string
  format: Format
  becomes: Class
  bytes: Buffer
}

/** What is seen of a message in RAW. */
export type Fate = 'record' | 'note' | 'accepted' | 'nothing'

/** What becomes of a record with a field that is not declared. */
const UNKNOWN: Record<Drift, Fate> = { freeze: 'record', evolve: 'accepted', discard_value: 'note' }

export function fateOf(becomes: Class, drift: Drift): Fate {
  if (becomes === 'broken') return 'record'
  if (becomes === 'type') return drift === 'discard_value' ? 'note' : 'record'
  if (becomes === 'unknown') return UNKNOWN[drift]
  return becomes === 'fine' ? 'accepted' : 'nothing'
}

const SCALARS = [
  'small',
  'big',
  'amount',
  'score',
  'flag',
  'day',
  'at',
  'uid',
  'code',
  'pick',
  'short',
  'word',
]

const RECORD_PATHS: Partial<Record<Format, string>> = { xml: ', path: /r/b', json: ', path: $' }

export function declaration(format: Format, drift: Drift, source: string): string {
  return `dataset: poison
source: ${source}
record: { format: ${format}${RECORD_PATHS[format] ?? ''} }
columns:
  - { name: id, type: long, required: true }
  - { name: small, type: integer }
  - { name: big, type: long }
  - { name: amount, type: decimal, precision: 10, scale: 2 }
  - { name: score, type: double }
  - { name: flag, type: boolean }
  - { name: day, type: date, format: dd/MM/yyyy }
  - { name: at, type: timestamp, timezone: UTC }
  - { name: uid, type: uuid }
  - { name: code, pattern: "[A-Z]{3}" }
  - { name: pick, values: [a, b] }
  - { name: short, max_length: 5 }
  - { name: word }
${format === 'csv' ? '' : '  - { name: nums, type: long, array: true }\n  - { name: dates, type: date, format: dd/MM/yyyy, array: true }\n'}drift: ${drift}
stream: { commit_interval_ms: 250 }
processed: { key: [id] }
`
}

/** Texts that a column of this name must not take. */
const BAD_VALUES: Record<string, string[]> = {
  small: [
    '2147483648',
    '-2147483649',
    '1.5',
    '1.0',
    '1e3',
    '0x1F',
    '1_000',
    'abc',
    '--1',
    '+',
    '٣',
    '1 2',
    '99999999999999999999999',
  ],
  big: ['9223372036854775808', '-9223372036854775809', '1.0', 'NaN', 'Infinity', '1e5', '0b11'],
  amount: ['1.005', '123456789.00', '1e2', '1,5', '.', 'NaN', '1.2.3', '$5'],
  score: ['NaN', 'Infinity', '-Infinity', '1e400', '-1e400', '1,5', '0x10', '1e', '--1', '1d', 'inf'],
  flag: ['yes', '2', 't', 'tru', '-1', '01'],
  day: [
    '2024-04-03',
    '31/02/2024',
    '00/01/2024',
    '03/13/2024',
    '03/04/0000',
    '03/04/2024 10:00',
    '29/02/2023',
  ],
  at: [
    '2024-02-30T00:00:00Z',
    '2024-01-01T24:00:00Z',
    '2024-01-01T23:59:60Z',
    '0000-01-01T00:00:00Z',
    '10000-01-01T00:00:00Z',
    '2024-01-01T00:00:00+19:00',
    'yesterday',
    '1704067200',
    '2024-13-01T00:00:00Z',
    '0001-01-01T00:00:00+05:00',
  ],
  uid: [
    'zzz',
    '00000000-0000-0000-0000-00000000000',
    '{00000000-0000-4000-8000-000000000000}',
    'g0000000-0000-4000-8000-000000000000',
  ],
}

/** Rules that a value breaks whatever the drift is. */
const BAD_BY_RULE: Record<string, string[]> = {
  code: ['abc', 'ABCD', 'A B'],
  pick: ['c', 'A'],
  short: ['abcdef', 'äöüäöü'],
  id: ['', 'x', '1.5', '9223372036854775808'],
}

const ODD_BUT_RIGHT: Record<string, string[]> = {
  small: ['-2147483648', '+7', '007'],
  big: ['9223372036854775807', '-9223372036854775808'],
  amount: ['99999999.99', '1.500', '-0.00'],
  score: ['5e-324', '1.7976931348623157e308', '-0', '.5'],
  flag: ['TRUE', '0'],
  day: ['29/02/2024', '01/01/0001', '31/12/9999'],
  at: [
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59.999999Z',
    '2024-01-01',
    '2024-01-01 00:00:00,123456789+0530',
  ],
  word: [
    '\u{1f600}',
    '﷽',
    "'; DROP TABLE t; --",
    '\\x00',
    '%s%n',
    '${env}',
    'NULL',
    'a'.repeat(100_000),
    '{"a":1}',
    '=1+1',
    '\u200b',
  ],
}

type Values = Record<string, string>

/** The record with these texts, as a message of the format. */
export function message(format: Format, values: Values): Buffer {
  if (format === 'xml')
    return Buffer.from(
      `<r><b>${Object.entries(values)
        .map(([name, text]) => `<${name}>${escaped(text)}</${name}>`)
        .join('')}</b></r>`,
    )
  if (format !== 'csv') return Buffer.from(JSON.stringify(values))
  const names = ['id', ...SCALARS]
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`
  return Buffer.from(
    `${names.join(',')}\n${names.map((name) => (values[name] === undefined ? '' : quoted(values[name]))).join(',')}\n`,
  )
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** Good messages have ids from here on; those of the kinds lie below. */
export const GOOD = 1_000_000
export const good = (format: Format, n: number): Buffer =>
  message(format, { id: String(GOOD + n), small: String(n), word: `good ${n}` })

export function kindsOf(format: Format): Kind[] {
  const kinds: Kind[] = []
  const add = (name: string, becomes: Class, bytes: Buffer | string): void =>
    void kinds.push({ name: `${format} ${name}`, format, becomes, bytes: Buffer.from(bytes as string) })
  const values = (all: Record<string, string[]>, becomes: Class): void => {
    for (const [column, texts] of Object.entries(all))
      for (const text of texts)
        add(
          `${column} = ${text.slice(0, 40)}`,
          becomes,
          message(format, { id: String(kinds.length), [column]: text }),
        )
  }
  values(BAD_VALUES, 'type')
  values(BAD_BY_RULE, 'broken')
  values(ODD_BUT_RIGHT, 'fine')
  addDocuments(format, add, () => String(kinds.length), SCALARS)
  return kinds
}

/** Keys that drift can hardly make columns of. */
export const ODD_KEYS = [
  'service.name',
  'a/b',
  '',
  '@id',
  '$',
  '@',
  '.',
  '..',
  '/',
  '[*]',
  'id.',
  ' id',
  'ID',
  '"',
  '`',
  '\n',
  'ключ',
  '\u{1f600}',
  '__proto__',
  'constructor',
  'message_id',
  'outcome',
  'x'.repeat(2_000),
  '*',
  'a[0]',
  "'",
  '\\',
]
