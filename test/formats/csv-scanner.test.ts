/** CSV by our scanner: what was written comes back, whatever the quoting and however it is cut into windows; what is wrong is wrong by record. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import { createCsvScanner, type CsvShape } from '../../src/formats/csv/scanner.ts'
import { readCsv, type CsvReading } from '../support/csv.ts'

const SHAPE: CsvShape = { paths: ['a', 'b', 'c'], required: ['a'], ignore: [], delimiter: ',', quote: '"', header: true }
const RUNS = Number(process.env.HEADRACE_PROPERTY_RUNS ?? 500)
const read = (text: string | Buffer, shape: Partial<CsvShape> = {}, window?: number): CsvReading => readCsv(createCsvScanner({ ...SHAPE, ...shape }), text, window)
/** Rows that are right, and the rest as `line N reason`. */
const told = ({ rows, issues, lines, fault }: CsvReading): { good: string[]; bad: string[]; fault?: string } => {
  const bad = issues.filter((issue) => issue.startsWith('malformed'))
  const empty = rows.flatMap((row, i) => (row.every((value) => value === null) ? [lines[i]] : []))
  return { good: rows.filter((row) => row.some((value) => value !== null)).map((row) => row.join('|')), bad: bad.map((issue, i) => `line ${empty[i]} ${issue.slice(10)}`), ...(fault === undefined ? {} : { fault }) }
}

const MARKS = [[',', '"'], ['\t', "'"], ['§', '"'], ['¦', '¬'], ['|', '«'], ['🙂', '"'], ['é', 'è'], ['\0', '\u0001']] as const
const field = (delimiter: string, quote: string): fc.Arbitrary<string | null> => fc.oneof(fc.constant(null), fc.string({ unit: fc.constantFrom('x', quote, delimiter, '\n', '\r', ' ', 'ü', '🙃', '', '\t') }))

test('what was written comes back: every value, in windows of any size, with every line end, delimiter and quote', () => {
  const file = fc.constantFrom(...MARKS).chain(([delimiter, quote]) => fc.tuple(fc.constant(delimiter), fc.constant(quote), fc.array(fc.array(field(delimiter, quote), { minLength: 3, maxLength: 3 }), { maxLength: 20 })))
  fc.assert(fc.property(file, fc.integer({ min: 1, max: 40 }), fc.constantFrom('\n', '\r\n', '\r'), fc.boolean(), ([delimiter, quote, rows], window, end, last) => {
    const isSpecial = (value: string): boolean => value === '' || value.length % 2 === 1 || [delimiter, quote, '\n', '\r'].some((one) => value.includes(one))
    const written = (value: string | null): string => (value === null ? '' : isSpecial(value) ? quote + value.replaceAll(quote, quote + quote) + quote : value)
    const text = [['a', 'b', 'c'], ...rows].map((row) => row.map(written).join(delimiter)).join(end) + (last ? end : '')
    expect(read(text, { delimiter, quote }, window)).toMatchObject({ rows, issues: [], fault: undefined })
  }), { numRuns: RUNS })
})

test('whatever a file holds, windows of one byte and the whole file give the same rows, rejects, lines and bytes', () => {
  const unit = fc.constantFrom('x', 'y', ',', ',', '"', '"', '\n', '\n', '\r', '\r\n', '""', ',"', '",', 'é', '1,2,3\n', '\n4,5,6\n')
  fc.assert(fc.property(fc.array(unit, { maxLength: 80 }), fc.integer({ min: 1, max: 7 }), fc.constantFrom(',', 'é'), (parts, window, delimiter) => {
    const text = `a${delimiter}b${delimiter}c\n${parts.join('')}`
    expect(read(text, { delimiter, ignore: ['*'] }, window)).toEqual(read(text, { delimiter, ignore: ['*'] }))
  }), { numRuns: RUNS * 4 })
})

test('columns are found by name; unknown ones are said, ignored ones are not; missing ones are empty', () => {
  expect(read('z,c,more,a\n1,2,3,4\n,,,5\n', { ignore: ['z'] })).toMatchObject({ rows: [['4', null, '2'], ['5', null, null]], issues: ['unexpected more'], fault: undefined })
  expect(read('a;b\n1;2\n', { ignore: ['*'] })).toMatchObject({ fault: 'the header has no a; it has a;b' })
  expect(read('\uFEFFa;b\n1;2\n', { delimiter: ';' }).rows).toEqual([['1', '2', null]])
  expect(read('x,y\n', { paths: ['2', '1'], required: [], header: false }).rows).toEqual([['y', 'x']])
  expect(read('')).toMatchObject({ rows: [], issues: [], fault: undefined })
  expect(read('"a","b ""x""",c\n1,2,3\n', { paths: ['b "x"'], required: [], ignore: ['*'] }).rows).toEqual([['2']])
  expect(read(' a,b\n1,2\n').fault).toBe('the header has no a; it has " a", b')
})

test('a column without a name, or with a name twice, is addressed by its place and stops nothing', () => {
  expect(read(',a\n0,x\n,y\n')).toMatchObject({ rows: [['x', null, null], ['y', null, null]], issues: ['unexpected #1'] })
  expect(read(',a,\n0,x,\n', { paths: ['#1', 'a'] })).toMatchObject({ rows: [['0', 'x']], issues: [] })
  expect(read(',a\n0,x\n', { ignore: ['#1'] })).toMatchObject({ issues: [] })
  expect(read('n,a,n\n1,x,2\n')).toMatchObject({ rows: [['x', null, null]], issues: ['unexpected #1', 'unexpected #3'] })
  expect(read('n,a,n\n1,x,2\n', { ignore: ['n'] }).issues).toEqual([])
  expect(read('a,x,a\n1,2,3\n').fault).toBe('the header has a twice; declare the one you mean by its place, #1 or #3')
  expect(read('a,x,a\n1,2,3\n', { paths: ['#3', 'a'], ignore: ['x'] })).toMatchObject({ rows: [['3', '1']], issues: [] })
  expect(read('#2,a\n1,2\n', { paths: ['#2', '#1'], required: [], ignore: ['*'] }).rows).toEqual([['1', null]])
  expect(read('id,a\n1,2\n', { paths: ['#1', 'a'], required: [], ignore: ['*'] }).rows, 'a named field has no other address').toEqual([[null, '2']])
})

test.each([1, 3, 1_000])('a record that does not fit is one row with the reason and its line, its neighbours are kept (windows of %i bytes)', (window) => {
  const text = Buffer.concat([Buffer.from('a,b,c\n1,2,3\n4,5\n6,7,8,9\n"x"y,2,3\nn,'), Buffer.from([0xff]), Buffer.from(',2\n10,11,12\n\n"m\nn",13\n"open,1,2\n')])
  expect(told(read(text, {}, window))).toEqual({
    good: ['1|2|3', '10|11|12'],
    bad: ['line 3 2 fields instead of 3', 'line 4 4 fields instead of 3', 'line 5 text after a closing quote', 'line 6 invalid UTF-8 at byte 35 (0xFF); if the file is windows-1252, declare record.encoding', 'line 9 2 fields instead of 3', 'line 11 a quote is not closed'],
  })
})

const lines = (from: number, to: number, line = (i: number): string => `${i},name ${i},y`): string => Array.from({ length: to - from }, (_, i) => `${line(from + i)}\n`).join('')
const CLOSED_BY: [string, string, number, string[]?][] = [
  ['nothing', '0,"oops,z\n' + lines(1, 600), 599],
  ['the quote of a field', `0,"oops,z\n${lines(1, 500)}500,"a ""b""\nc",y\n${lines(501, 600)}`, 599],
  ['an inch mark in another column', `0,"oops,z\n${lines(1, 500)}500,x,24" pipe\n${lines(501, 600)}`, 599],
  ['a quote at the end of a field: too few fields', `0,"oops,z\n${lines(1, 500)}500,x,24"\n${lines(501, 600)}`, 599],
  ['a quote at the end of a field: too many fields', `0,x,"oops\n${lines(1, 500)}500,24",y\n${lines(501, 600)}`, 599],
  ['a quote at the end of the same column: the fields fit', `0,"oops,z\n${lines(1, 500)}500,24",y\n${lines(501, 600)}`, 599],
  ['a quote at the end of the last column: the fields fit', `0,x,"oops\n${lines(1, 500)}500,x,24"\n${lines(501, 600)}`, 599],
  ['another stray quote', `0,"oops,z\n${lines(1, 500)}500,"again,y\n${lines(501, 600)}`, 598, ['line 2 a quote is not closed', 'line 502 a quote is not closed']],
  ['empty fields in quotes on the way', `0,"oops,z\n${lines(1, 500, (i) => `${i},"",y`)}${lines(500, 600)}`, 599],
]

test.each(CLOSED_BY)('a stray quote that is closed by %s costs its own line', (_, body, good, bad = ['line 2 a quote is not closed']) => {
  for (const window of [1_009, Infinity]) {
    const found = told(read(`a,b,c\n${body}`, {}, window))
    expect({ good: found.good.length, bad: found.bad }).toEqual({ good, bad })
  }
})

test('what was kept of a reject is one record again, under the header and with the same reason', () => {
  const unit = fc.constantFrom('x', ',', ',', '"', '"', '\n', '\n', '\r\n', '""', ',"', '",', '1,2,3\n', '\n4,5,6\n')
  fc.assert(fc.property(fc.array(unit, { maxLength: 60 }), (parts) => {
    const { rejected, issues } = read(`a,b,c\n${parts.join('')}`)
    for (const [i, one] of rejected.entries()) expect(read(`a,b,c\n${one}`)).toMatchObject({ rejected: [one], issues: [issues.filter((issue) => issue.startsWith('malformed'))[i]] })
  }), { numRuns: RUNS * 4 })
})

test('a stray quote behind whole quoted fields takes the record that it stands in, not the lines before it', () => {
  const text = `a,b,c\n1,2,3\n"x\ny","1\n2","oops\n${lines(5, 9)}`
  expect(told(read(text))).toEqual({ good: ['1|2|3', ...lines(5, 9).trim().split('\n').map((line) => line.replaceAll(',', '|'))], bad: ['line 3 a quote is not closed'] })
  expect(read(text).rejected).toEqual(['"x\ny","1\n2","oops'])
})

test('what is a field by RFC 4180 stays one: prose, tables of other widths, few lines that would fit, doubled quotes, 1 MiB', () => {
  const values = ['Dear Sir, dear Madam,\nthanks, and\n\nbye', lines(0, 99, (i) => `${i},x`), lines(0, 20), 'say ""hi""\n"",""\n', `${'word, word\n'.repeat(100_000)}`, '\n\n\n', ',,\n,,']
  for (const value of values) expect(read(`a,b,c\n1,"${value}",3\n4,5,6\n`)).toMatchObject({ rows: [['1', value.replaceAll('""', '"'), '3'], ['4', '5', '6']], issues: [] })
  const one = 'x\ny,"z"\n'.repeat(200)
  expect(read(`a\n"${one.replaceAll('"', '""')}"\n2\n`, { paths: ['a'] })).toMatchObject({ rows: [[one], ['2']], issues: [] })
})

test('a quoted field that reaches over line ends further than its limit, and a line longer than a record may be, cost themselves', () => {
  const far = `0,"oops,z\n${lines(1, 40_000, (i) => `${i},${'y'.repeat(100)}`)}`
  expect(far.length).toBeGreaterThan(LIMITS.quotedFieldBytes)
  const long = 'w'.repeat(LIMITS.recordBytes)
  const text = `a,b,c\n1,"${'v'.repeat(LIMITS.quotedFieldBytes + 10)}",3\n${far}2,${long},3\n4,"${long}",6\n7,8,9\n`
  for (const window of [9 << 20, 50 << 20]) {
    const { rows, issues, lines: at } = read(text, {}, window)
    expect(issues.filter((issue) => !issue.endsWith('2 fields instead of 3'))).toEqual(['malformed a quote is not closed', 'malformed the record has more than 16777216 bytes', 'malformed the record has more than 16777216 bytes'])
    expect(rows.at(-1)).toEqual(['7', '8', '9'])
    expect(at.at(-1)).toBe(text.split('\n').length - 1)
    expect(rows[0][1]).toHaveLength(LIMITS.quotedFieldBytes + 10)
  }
})

test('thousands of stray quotes, and lines made to be read again and again, are read in one pass: what is quadratic would not end in time', () => {
  const strays = `a,b,c\n${lines(0, 120_000, (i) => (i % 40 === 3 ? `${i},"oops,z` : `${i},name ${i},${'y'.repeat(30)}`))}`
  expect(told(read(strays, {}, 1 << 20)).bad).toHaveLength(3_000)
  // By the letter each third line begins a record of 500 fields, all of which would be read for it.
  const chain = `${'h,'.repeat(499)}h\n${lines(0, 9_000, (i) => (i % 3 === 0 ? 'foo","bar' : i % 3 === 1 ? 'x,'.repeat(499) : 'odd'))}`
  expect(read(chain, { paths: ['h'], required: [], ignore: ['*'] }, 1 << 20).fault).toContain('twice')
  expect(read(chain, { paths: ['#1'], required: [], ignore: ['*'] }, 1 << 20).rows).toHaveLength(9_000)
})
