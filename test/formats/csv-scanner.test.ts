/**
 * CSV by our scanner: what was written comes back, whatever the quoting and however it is cut into windows;
 * what is wrong is wrong by record.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createCsvScanner, type CsvShape } from '../../src/formats/csv/scanner.ts'
import { readCsv, type CsvReading } from '../support/csv.ts'

const SHAPE: CsvShape = {
  paths: ['a', 'b', 'c'],
  required: ['a'],
  ignore: [],
  delimiter: ',',
  quote: '"',
  header: true,
}
const RUNS = Number(process.env.HEADRACE_TEST_PROPERTY_RUNS ?? 500)
const read = (text: string | Buffer, shape: Partial<CsvShape> = {}, window?: number): CsvReading =>
  readCsv(createCsvScanner({ ...SHAPE, ...shape }), text, window)
/** Rows that are right, and the rest as `line N reason`. */
const goodAndBad = ({
  rows,
  issues,
  lines,
  fault,
}: CsvReading): { good: string[]; bad: string[]; fault?: string } => {
  const bad = issues.filter((issue) => issue.startsWith('malformed'))
  const empty = rows.flatMap((row, i) => (row.every((value) => value === null) ? [lines[i]] : []))
  return {
    good: rows.filter((row) => row.some((value) => value !== null)).map((row) => row.join('|')),
    bad: bad.map((issue, i) => `line ${empty[i]} ${issue.slice(10)}`),
    ...(fault === undefined ? {} : { fault }),
  }
}

const MARKS = [
  [',', '"'],
  ['\t', "'"],
  ['§', '"'],
  ['¦', '¬'],
  ['|', '«'],
  ['🙂', '"'],
  ['é', 'è'],
  ['\0', '\u0001'],
] as const
const field = (delimiter: string, quote: string): fc.Arbitrary<string | null> =>
  fc.oneof(
    fc.constant(null),
    fc.string({ unit: fc.constantFrom('x', quote, delimiter, '\n', '\r', ' ', 'ü', '🙃', '', '\t') }),
  )

test('what was written comes back: every value, in windows of any size, with every line end, delimiter and quote', () => {
  const file = fc
    .constantFrom(...MARKS)
    .chain(([delimiter, quote]) =>
      fc.tuple(
        fc.constant(delimiter),
        fc.constant(quote),
        fc.array(fc.array(field(delimiter, quote), { minLength: 3, maxLength: 3 }), { maxLength: 20 }),
      ),
    )
  fc.assert(
    fc.property(
      file,
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom('\n', '\r\n', '\r'),
      fc.boolean(),
      ([delimiter, quote, rows], window, end, last) => {
        const isSpecial = (value: string): boolean =>
          value === '' ||
          value.length % 2 === 1 ||
          [delimiter, quote, '\n', '\r'].some((sign) => value.includes(sign))
        const written = (value: string | null): string => {
          if (value === null) return ''
          return isSpecial(value) ? quote + value.replaceAll(quote, quote + quote) + quote : value
        }
        const text =
          [['a', 'b', 'c'], ...rows].map((row) => row.map(written).join(delimiter)).join(end) +
          (last ? end : '')
        expect(read(text, { delimiter, quote }, window)).toMatchObject({ rows, issues: [], fault: undefined })
      },
    ),
    { numRuns: RUNS },
  )
})

test('whatever a file holds, windows of one byte and the whole file give the same rows, rejects, lines and bytes', () => {
  const unit = fc.constantFrom(
    'x',
    'y',
    ',',
    ',',
    '"',
    '"',
    '\n',
    '\n',
    '\r',
    '\r\n',
    '""',
    ',"',
    '",',
    'é',
    '1,2,3\n',
    '\n4,5,6\n',
  )
  fc.assert(
    fc.property(
      fc.array(unit, { maxLength: 80 }),
      fc.integer({ min: 1, max: 7 }),
      fc.constantFrom(',', 'é'),
      (parts, window, delimiter) => {
        const text = `a${delimiter}b${delimiter}c\n${parts.join('')}`
        expect(read(text, { delimiter, ignore: ['*'] }, window)).toEqual(
          read(text, { delimiter, ignore: ['*'] }),
        )
      },
    ),
    { numRuns: RUNS * 4 },
  )
})

test('columns are found by name; unknown ones are said, ignored ones are not; missing ones are empty', () => {
  expect(read('z,c,more,a\n1,2,3,4\n,,,5\n', { ignore: ['z'] })).toMatchObject({
    rows: [
      ['4', null, '2'],
      ['5', null, null],
    ],
    issues: ['unexpected more'],
    fault: undefined,
  })
  expect(read('a;b\n1;2\n', { ignore: ['*'] })).toMatchObject({ fault: 'the header has no a; it has a;b' })
  expect(read('\uFEFFa;b\n1;2\n', { delimiter: ';' }).rows).toEqual([['1', '2', null]])
  expect(read('x,y\n', { paths: ['2', '1'], required: [], header: false }).rows).toEqual([['y', 'x']])
  expect(read('')).toMatchObject({ rows: [], issues: [], fault: undefined })
  expect(read('"a","b ""x""",c\n1,2,3\n', { paths: ['b "x"'], required: [], ignore: ['*'] }).rows).toEqual([
    ['2'],
  ])
  expect(read(' a,b\n1,2\n').fault).toBe('the header has no a; it has " a", b')
})

test('a column without a name, or with a name twice, is addressed by its place and stops nothing', () => {
  expect(read(',a\n0,x\n,y\n')).toMatchObject({
    rows: [
      ['x', null, null],
      ['y', null, null],
    ],
    issues: ['unexpected #1'],
  })
  expect(read(',a,\n0,x,\n', { paths: ['#1', 'a'] })).toMatchObject({ rows: [['0', 'x']], issues: [] })
  expect(read(',a\n0,x\n', { ignore: ['#1'] })).toMatchObject({ issues: [] })
  expect(read('n,a,n\n1,x,2\n')).toMatchObject({
    rows: [['x', null, null]],
    issues: ['unexpected #1', 'unexpected #3'],
  })
  expect(read('n,a,n\n1,x,2\n', { ignore: ['n'] }).issues).toEqual([])
  expect(read('a,x,a\n1,2,3\n').fault).toBe('the header has a twice; declare the position instead, #1 or #3')
  expect(read('a,x,a\n1,2,3\n', { paths: ['#3', 'a'], ignore: ['x'] })).toMatchObject({
    rows: [['3', '1']],
    issues: [],
  })
  expect(read('#2,a\n1,2\n', { paths: ['#2', '#1'], required: [], ignore: ['*'] }).rows).toEqual([
    ['1', null],
  ])
  expect(
    read('id,a\n1,2\n', { paths: ['#1', 'a'], required: [], ignore: ['*'] }).rows,
    'a named field has no other address',
  ).toEqual([[null, '2']])
})

test.each([1, 3, 1_000])(
  'a record that does not fit is one row with the reason and its line, its neighbours are kept (windows of %i bytes)',
  (window) => {
    const text = Buffer.concat([
      Buffer.from('a,b,c\n1,2,3\n4,5\n6,7,8,9\n"x"y,2,3\nn,'),
      Buffer.from([0xff]),
      Buffer.from(',2\n10,11,12\n\n"m\nn",13\n"open,1,2\n'),
    ])
    expect(goodAndBad(read(text, {}, window))).toEqual({
      good: ['1|2|3', '10|11|12'],
      bad: [
        'line 3 2 fields instead of 3',
        'line 4 4 fields instead of 3',
        'line 5 text after a closing quote',
        'line 6 invalid UTF-8 at byte 35 (0xFF); if the file is windows-1252, declare record.encoding',
        'line 9 2 fields instead of 3',
        'line 11 a quote is not closed',
      ],
    })
  },
)
