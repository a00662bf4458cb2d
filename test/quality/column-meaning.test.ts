/** What a declaration says of types and cannot mean is refused, with its place and a way out. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkDataset, mistakeText } from '../../src/dataset/check.ts'
import { FORMAT_LETTERS, parseTemporalFormat } from '../../src/dataset/temporal-format.ts'
import { meantFormat } from '../../src/dataset/temporal-suggest.ts'
import { timestampReader } from '../../src/quality/temporal.ts'

const mistakes = (column: string, more = '', record = '{ format: ndjson }'): string =>
  checkDataset(
    `dataset: d\nsource: { files: { path: in } }\nrecord: ${record}\ncolumns:\n  - { name: c, ${column} }\n${more}`,
  )
    .mistakes.map(mistakeText)
    .join('\n')
const rule = (expectation: string, body: string): string =>
  `rules: [{ expect_column_${expectation}: { column: c, ${body} } }]`

test.each([
  [
    'HH:MM',
    'type: timestamp, timezone: UTC, format: "yyyy-MM-dd HH:MM:ss"',
    /^ {2}5:\d+ {2}format yyyy-MM-dd HH:MM:ss is not valid at position 15: the month appears twice \(also as MM at position 6\)\. MM is the month, mm is minutes\. Did you mean yyyy-MM-dd HH:mm:ss\?/,
  ],
  [
    'two digits of a year',
    'type: date, format: yy-MM-dd',
    /position 1: yy is not a field\. Two digits leave the century open/,
  ],
  [
    'a letter nobody knows',
    'type: date, format: yyyy-MM-ddTZ',
    /position 11: T is not a field.*If the values contain these letters, quote them: 'T'/,
  ],
  ['no date', 'type: timestamp, timezone: UTC, format: "HH:mm"', /the year \(yyyy\) is missing/],
  ['no day', 'type: date, format: yyyy-MM', /position 8: the day \(dd\) is missing/],
  ['a time in a date', 'type: date, format: "yyyy-MM-dd HH:mm"', /position 12: HH is part of a time/],
  [
    'a quote without an end',
    'type: date, format: "yyyy-MM-dd \'x"',
    /position 12: the quote is never closed.*Write '' for a quote itself/,
  ],
  [
    'fields that run together',
    'type: date, format: dMyyyy',
    /position 2: d has no fixed width, and M follows it directly/,
  ],
  [
    'an hour of twelve without a half',
    'type: timestamp, timezone: UTC, format: "yyyy-MM-dd hh:mm"',
    /hh cannot stand alone.*needs a \(AM, PM\).*Did you mean yyyy-MM-dd HH:mm\?/,
  ],
  [
    'minutes without an hour',
    'type: timestamp, timezone: UTC, format: "yyyy-MM-dd mm:ss"',
    /mm cannot stand alone/,
  ],
  [
    'an hour twice',
    'type: timestamp, timezone: UTC, format: "yyyy-MM-dd HH hh a"',
    /position 15: the hour appears twice \(also as HH at position 12\)/,
  ],
  [
    'ten digits of a fraction',
    'type: timestamp, timezone: UTC, format: "yyyy-MM-dd HH:mm:ss.SSSSSSSSSS"',
    /one S for each digit of the fraction of a second, at most nine/,
  ],
  [
    'strftime',
    'type: timestamp, timezone: UTC, format: "%Y-%m-%d %H:%M:%S"',
    /Did you mean yyyy-MM-dd HH:mm:ss\?/,
  ],
  [
    'moment',
    'type: timestamp, timezone: UTC, format: "DD.MM.YYYY HH:mm:SS"',
    /Did you mean dd\.MM\.yyyy HH:mm:ss\?/,
  ],
  [
    'optional parts',
    'type: timestamp, timezone: UTC, format: "yyyy-MM-dd[ HH:mm]"',
    /Optional parts are not supported/,
  ],
  [
    'a count for a date',
    'type: date, format: epoch_ms',
    /epoch_ms counts milliseconds, but column c has type date/,
  ],
  ['a zone for a count', 'type: timestamp, timezone: UTC, format: epoch_s', /timezone has no effect/],
  ['a word', 'type: timestamp, format: unix', /Did you mean epoch_s\?/],
  ['white space that is trimmed', 'type: date, format: " yyyy-MM-dd"', /starts or ends with white space/],
  [
    'a format without an offset',
    "type: timestamp, format: \"yyyy-MM-dd'T'HH:mm:ss'Z'\"",
    /a format without an offset, and no timezone/,
  ],
  [
    'a format of no time',
    'type: string, format: yyyy',
    /format applies only to types date and timestamp; column c has type string/,
  ],
  [
    'a zone of a date',
    'type: date, timezone: UTC',
    /timezone applies only to type timestamp; column c has type date/,
  ],
  ['a zone of a text', 'timezone: UTC', /timezone applies only to type timestamp/],
  ['scale above precision', 'type: decimal, precision: 2, scale: 3', /scale 3 is larger than precision 2/],
  ['precision of a double', 'type: double, precision: 2', /precision applies only to type decimal/],
  [
    'values of a number',
    'type: long, values: ["1"]',
    /values \(enum\) applies only to type string.*expect_column_values_to_be_in_set/,
  ],
  ['no values', 'values: []', /the list values of c is empty/],
  [
    'a value that cleaning changes',
    'values: [New], case: lower',
    /"New" in values never matches: the column changes such a text to "new" first/,
  ],
  ['a pattern of a date', 'type: date, pattern: "2.*"', /pattern does not apply to column c of type date/],
  ['a length of a boolean', 'type: boolean, max_length: 3', /max_length does not apply/],
  ['fields of nothing', 'array: true, fields: []', /the list fields of c is empty/],
  ['a field twice', 'array: true, fields: [{ name: a }, { name: A }]', /field A of c is declared twice/],
  [
    'a wrong field',
    'array: true, fields: [{ name: a, type: decimal }]',
    /decimal column a needs precision and scale/,
  ],
  [
    'a format of a field',
    'array: true, fields: [{ name: a, type: date, format: yy }]',
    /format yy is not valid/,
  ],
  [
    'settings of the outer array',
    'array: true, pattern: x, fields: [{ name: a }]',
    /pattern does not apply to c, an array of objects/,
  ],
  [
    'a type of the outer array',
    'array: true, type: long, fields: [{ name: a }]',
    /its fields have types, the column has none/,
  ],
  [
    'a path of a field from the root',
    'array: true, fields: [{ name: a, path: $.x }]',
    /starts at the root of the message/,
  ],
  [
    'a path of a field that is none',
    'array: true, fields: [{ name: a, path: "x[0]" }]',
    /x\[0\] is not a JSON path/,
  ],
])('refuses %s', (_, column, message) => {
  expect(mistakes(column)).toMatch(message)
})

test.each([
  [
    'a bound beyond the type',
    'type: integer',
    rule('values_to_be_between', 'min_value: 2147483648'),
    /min_value 2147483648 is not an integer/,
  ],
  [
    'a fraction of a whole number',
    'type: long',
    rule('values_to_be_between', 'max_value: 1.5'),
    /max_value 1\.5 is not a long/,
  ],
  [
    'more digits than the scale',
    'type: decimal, precision: 5, scale: 2',
    rule('values_to_be_between', 'max_value: 1.005'),
    /max_value 1\.005 is not a decimal\(5,2\)/,
  ],
  [
    'a date that is none',
    'type: date',
    rule('values_to_be_between', 'min_value: 2023-02-29'),
    /not a date\. Write dates as/,
  ],
  [
    'a time that is none',
    'type: timestamp',
    rule('values_to_be_between', 'min_value: yesterday'),
    /not a timestamp\. Write times as/,
  ],
  [
    'bounds in the wrong order',
    'type: long',
    rule('values_to_be_between', 'min_value: 9223372036854775807, max_value: 9223372036854775806'),
    /min_value 9223372036854775807 is above max_value 9223372036854775806/,
  ],
  [
    'an order of booleans',
    'type: boolean',
    rule('values_to_be_between', 'min_value: 0'),
    /does not apply to column c: booleans have no order/,
  ],
  [
    'a set with another type',
    'type: date',
    rule('values_to_be_in_set', 'value_set: [2024-01-01, soon]'),
    /soon in value_set is not a date/,
  ],
  [
    'an empty set',
    'type: long',
    rule('values_to_be_in_set', 'value_set: []'),
    /every value of c would break the rule/,
  ],
  [
    'a length of a date',
    'type: date',
    rule('value_lengths_to_be_between', 'min_value: 2'),
    /between does not apply to column c of type date/,
  ],
  [
    'a length that is no number',
    'type: string',
    rule('value_lengths_to_be_between', 'min_value: two'),
    /not a number of characters/,
  ],
  [
    'a rule on an array',
    'type: long, array: true',
    rule('values_to_be_between', 'min_value: 2'),
    /compares single values, but c is an array/,
  ],
])('refuses %s in a rule', (_, column, more, message) => {
  expect(mistakes(column, more)).toMatch(message)
})

test('every format that is taken can be read with, and every other has a position within it', () => {
  const token = fc.constantFrom(
    ...FORMAT_LETTERS,
    'SSS',
    "'T'",
    "''",
    ' ',
    '-',
    ':',
    '.',
    ',',
    '年',
    '1',
    'T',
    'yy',
    '[',
    '%',
    "'",
    'e',
  )
  const format = fc.array(token, { maxLength: 12 }).map((parts) => parts.join(''))
  const likely = fc
    .shuffledSubarray(['yyyy', 'MM', 'dd', 'HH', 'mm', 'ss', 'SSS', 'XXX', "'T'", '-', ':', ' ', 'EEE'])
    .map((parts) => parts.join(''))
  let taken = 0
  fc.assert(
    fc.property(
      fc.oneof(format, likely),
      fc.constantFrom('date' as const, 'timestamp' as const),
      (text, type) => {
        const steps = parseTemporalFormat(text, type)
        const meant = meantFormat(text, type)
        if (meant !== undefined && meant !== 'iso' && !meant.startsWith('epoch_'))
          expect(Array.isArray(parseTemporalFormat(meant, type))).toBe(true)
        if (!Array.isArray(steps)) return steps.position >= 1 && steps.position <= text.length + 1
        taken += 1
        if (type === 'timestamp')
          timestampReader(text, 'UTC')(Buffer.from('2024-01-01'), 0, 10, { words: new Int32Array(2), row: 0 })
        return true
      },
    ),
    { numRuns: 3000 },
  )
  expect(taken).toBeGreaterThan(10)
})
