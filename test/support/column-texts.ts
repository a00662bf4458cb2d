/**
 * Texts for a column of a type: what is written in files, what lies at the edges, and what is none of it.
 * Seeded.
 */
import fc from 'fast-check'

const digits = (most: number): fc.Arbitrary<string> =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: most }).map((all) => all.join(''))
const sign = fc.constantFrom('', '', '', '-', '+')
const two = (least: number, most: number): fc.Arbitrary<string> =>
  fc.integer({ min: least, max: most }).map((number) => String(number).padStart(2, '0'))
const joined = (...parts: fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...parts).map((all) => all.join(''))
const of = (...texts: string[]): fc.Arbitrary<string> => fc.constantFrom(...texts)

const whole = fc.oneof(
  joined(sign, digits(6)),
  fc.integer().map(String),
  fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map(String),
  of(
    '127',
    '128',
    '-128',
    '-129',
    '32767',
    '32768',
    '-32769',
    '2147483647',
    '2147483648',
    '-2147483648',
    '9223372036854775807',
    '9223372036854775808',
    '-9223372036854775808',
    '-0',
    '+5',
    '007',
    '1_000',
    '0x1F',
    '1e3',
    '1.0',
    '0b1',
    'five',
    '00000000000000000000000001',
  ),
)
const broken = fc.oneof(
  joined(sign, digits(5), of('.'), digits(4)),
  joined(sign, digits(30), of('.'), digits(12)),
  joined(digits(8), of('.', '.0', '.50', '.005', '.1000', ',5')),
  joined(of('.'), digits(5)),
  of(
    '.',
    '-',
    '-.5',
    '5.',
    '1e2',
    '1_0.5',
    'NaN',
    'inf',
    '99999999.99',
    '100000000.00',
    '0.00',
    '-0.00',
    '-0.005',
  ),
)
const double = fc.oneof(
  broken,
  fc.double({ noNaN: true }).map(String),
  joined(sign, digits(3), of('e', 'E'), sign, digits(3)),
  of(
    '1e400',
    '-1e400',
    '1e308',
    '1.7976931348623159e308',
    '4.9e-324',
    '1e-400',
    '3.4028235e38',
    '3.4028235677973366e38',
    '-0.0',
    'Infinity',
    'nan',
    '0x1p3',
    '1d',
    '1f',
  ),
)
const year = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 1900, max: 2100 }).map(String) },
  { weight: 1, arbitrary: of('0001', '0000', '9999', '10000', '0044', '1582', '-001', '99') },
)
const day = joined(
  year,
  of('-'),
  two(1, 12),
  of('-'),
  fc.oneof({ weight: 6, arbitrary: two(1, 28) }, { weight: 1, arbitrary: two(29, 31) }),
)
const time = joined(
  fc.oneof({ weight: 8, arbitrary: two(0, 23) }, { weight: 1, arbitrary: of('24', '7') }),
  of(':'),
  two(0, 59),
  fc.oneof({ weight: 8, arbitrary: joined(of(':'), two(0, 59)) }, { weight: 1, arbitrary: of('', ':60') }),
)
const fraction = fc.oneof(
  { weight: 3, arbitrary: of('') },
  { weight: 2, arbitrary: joined(of('.', ','), digits(10)) },
)
const offset = fc.oneof(
  { weight: 3, arbitrary: of('') },
  {
    weight: 2,
    arbitrary: of(
      'Z',
      '+02',
      '+0200',
      '+02:00',
      '-11:30',
      '+14:00',
      '+18:00',
      '+19:00',
      ' UTC',
      ' Europe/Berlin',
      '+02:60',
    ),
  },
)
const timestamp = fc.oneof(
  { weight: 6, arbitrary: joined(day, of('T', ' ', ' '), time, fraction, offset) },
  { weight: 1, arbitrary: day },
  {
    weight: 1,
    arbitrary: of(
      'epoch',
      'infinity',
      '-infinity',
      'now',
      'today',
      '2024-02-29 23:59:59.999999',
      '0001-01-01 00:00:00',
      '10000-01-01 00:00:00',
      '9999-12-31 23:59:59.999999',
      '0044-03-15 00:00:00 (BC)',
      '2024-1-2 3:4:5',
    ),
  },
)
const uuid = fc.oneof(
  fc.uuid(),
  fc.uuid().map((text) => text.toUpperCase()),
  fc.uuid().map((text) => text.replaceAll('-', '')),
  fc.uuid().map((text) => `{${text}}`),
  fc.uuid().map((text) => text.slice(1)),
  fc.uuid().map((text) => `${text.slice(0, -1)}g`),
)
const anything = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.string({ maxLength: 30 }),
  of('null', 'NULL', '""', '\u00a0', 'e\u0301', '\u4e2d\u6587'),
)

const GENERATORS: [RegExp, fc.Arbitrary<string>][] = [
  [/INT/, whole],
  [/^DECIMAL/, fc.oneof(broken, whole)],
  [/^(DOUBLE|REAL)/, double],
  [/^BOOL/, of('true', 'false', 'TRUE', 'False', '1', '0', 'yes', 't', 'f', 'no', 'on', '2', 'tru\u212ae')],
  [/^DATE/, fc.oneof({ weight: 6, arbitrary: day }, { weight: 1, arbitrary: timestamp })],
  [/^TIMESTAMP/, timestamp],
  [/^UUID/, uuid],
]

/** `count` texts; a few are empty, are padded or are of another kind. */
export function textsOf(type: string, count: number, seed: number): string[] {
  const own = GENERATORS.find(([pattern]) => pattern.test(type))?.[1] ?? anything
  const padded = joined(of(' ', '\t', '\n', '\u0001', ''), own, of(' ', '\r\n', '\0', '  ', '\u00a0'))
  const all = fc.oneof(
    { weight: 20, arbitrary: own },
    { weight: 2, arbitrary: padded },
    { weight: 1, arbitrary: anything },
    { weight: 1, arbitrary: of('', ' ') },
  )
  return fc.sample(all, { numRuns: count, seed })
}
