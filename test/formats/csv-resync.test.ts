/** Stray quotes in CSV, and lines that are too long: each costs itself, and the lines around it are read. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
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

const lines = (from: number, to: number, line = (i: number): string => `${i},name ${i},y`): string =>
  Array.from({ length: to - from }, (_, i) => `${line(from + i)}\n`).join('')
const CLOSED_BY: [string, string, number, string[]?][] = [
  ['nothing', '0,"oops,z\n' + lines(1, 600), 599],
  ['the quote of a field', `0,"oops,z\n${lines(1, 500)}500,"a ""b""\nc",y\n${lines(501, 600)}`, 599],
  ['an inch mark in another column', `0,"oops,z\n${lines(1, 500)}500,x,24" pipe\n${lines(501, 600)}`, 599],
  [
    'a quote at the end of a field: too few fields',
    `0,"oops,z\n${lines(1, 500)}500,x,24"\n${lines(501, 600)}`,
    599,
  ],
  [
    'a quote at the end of a field: too many fields',
    `0,x,"oops\n${lines(1, 500)}500,24",y\n${lines(501, 600)}`,
    599,
  ],
  [
    'a quote at the end of the same column: the fields fit',
    `0,"oops,z\n${lines(1, 500)}500,24",y\n${lines(501, 600)}`,
    599,
  ],
  [
    'a quote at the end of the last column: the fields fit',
    `0,x,"oops\n${lines(1, 500)}500,x,24"\n${lines(501, 600)}`,
    599,
  ],
  [
    'another stray quote',
    `0,"oops,z\n${lines(1, 500)}500,"again,y\n${lines(501, 600)}`,
    598,
    ['line 2 a quote is not closed', 'line 502 a quote is not closed'],
  ],
  [
    'empty fields in quotes on the way',
    `0,"oops,z\n${lines(1, 500, (i) => `${i},"",y`)}${lines(500, 600)}`,
    599,
  ],
]

test.each(CLOSED_BY)(
  'a stray quote that is closed by %s costs its own line',
  (_, body, good, bad = ['line 2 a quote is not closed']) => {
    for (const window of [1_009, Infinity]) {
      const found = goodAndBad(read(`a,b,c\n${body}`, {}, window))
      expect({ good: found.good.length, bad: found.bad }).toEqual({ good, bad })
    }
  },
)

test('what was kept of a reject is one record again, under the header and with the same reason', () => {
  const unit = fc.constantFrom(
    'x',
    ',',
    ',',
    '"',
    '"',
    '\n',
    '\n',
    '\r\n',
    '""',
    ',"',
    '",',
    '1,2,3\n',
    '\n4,5,6\n',
  )
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 60 }), (parts) => {
      const { rejected, issues } = read(`a,b,c\n${parts.join('')}`)
      for (const [i, record] of rejected.entries())
        expect(read(`a,b,c\n${record}`)).toMatchObject({
          rejected: [record],
          issues: [issues.filter((issue) => issue.startsWith('malformed'))[i]],
        })
    }),
    { numRuns: RUNS * 4 },
  )
})

test('a stray quote behind whole quoted fields takes the record that it stands in, not the lines before it', () => {
  const text = `a,b,c\n1,2,3\n"x\ny","1\n2","oops\n${lines(5, 9)}`
  expect(goodAndBad(read(text))).toEqual({
    good: [
      '1|2|3',
      ...lines(5, 9)
        .trim()
        .split('\n')
        .map((line) => line.replaceAll(',', '|')),
    ],
    bad: ['line 3 a quote is not closed'],
  })
  expect(read(text).rejected).toEqual(['"x\ny","1\n2","oops'])
})

test('what is a field by RFC 4180 stays one: prose, tables of other widths, few lines that would fit, doubled quotes, 1 MiB', () => {
  const values = [
    'Dear Sir, dear Madam,\nthanks, and\n\nbye',
    lines(0, 99, (i) => `${i},x`),
    lines(0, 20),
    'say ""hi""\n"",""\n',
    `${'word, word\n'.repeat(100_000)}`,
    '\n\n\n',
    ',,\n,,',
  ]
  for (const value of values)
    expect(read(`a,b,c\n1,"${value}",3\n4,5,6\n`)).toMatchObject({
      rows: [
        ['1', value.replaceAll('""', '"'), '3'],
        ['4', '5', '6'],
      ],
      issues: [],
    })
  const longField = 'x\ny,"z"\n'.repeat(200)
  expect(read(`a\n"${longField.replaceAll('"', '""')}"\n2\n`, { paths: ['a'] })).toMatchObject({
    rows: [[longField], ['2']],
    issues: [],
  })
})

test('a quoted field that reaches over line ends further than its limit, and a line longer than a record may be, cost themselves', () => {
  const far = `0,"oops,z\n${lines(1, 40_000, (i) => `${i},${'y'.repeat(100)}`)}`
  expect(far.length).toBeGreaterThan(LIMITS.quotedFieldBytes)
  const long = 'w'.repeat(LIMITS.recordBytes)
  const text = `a,b,c\n1,"${'v'.repeat(LIMITS.quotedFieldBytes + 10)}",3\n${far}2,${long},3\n4,"${long}",6\n7,8,9\n`
  for (const window of [9 << 20, 50 << 20]) {
    const { rows, issues, lines: at } = read(text, {}, window)
    expect(issues.filter((issue) => !issue.endsWith('2 fields instead of 3'))).toEqual([
      'malformed a quote is not closed',
      'malformed the record has more than 16777216 bytes',
      'malformed the record has more than 16777216 bytes',
    ])
    expect(rows.at(-1)).toEqual(['7', '8', '9'])
    expect(at.at(-1)).toBe(text.split('\n').length - 1)
    expect(rows[0][1]).toHaveLength(LIMITS.quotedFieldBytes + 10)
  }
})

test('thousands of stray quotes, and lines made to be read again and again, are read in one pass: what is quadratic would not end in time', () => {
  const strays = `a,b,c\n${lines(0, 120_000, (i) => (i % 40 === 3 ? `${i},"oops,z` : `${i},name ${i},${'y'.repeat(30)}`))}`
  expect(goodAndBad(read(strays, {}, 1 << 20)).bad).toHaveLength(3_000)
  const thirds = ['foo","bar', 'x,'.repeat(499), 'odd']
  // By the letter each third line begins a record of 500 fields, all of which would be read for it.
  const chain = `${'h,'.repeat(499)}h\n${lines(0, 9_000, (i) => thirds[i % 3])}`
  expect(read(chain, { paths: ['h'], required: [], ignore: ['*'] }, 1 << 20).fault).toContain('twice')
  expect(read(chain, { paths: ['#1'], required: [], ignore: ['*'] }, 1 << 20).rows).toHaveLength(9_000)
})
