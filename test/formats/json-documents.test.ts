/**
 * Documents and lines of JSON: where records are found in them, at once and in windows, and what is refused
 * whole.
 */
import { expect, test } from 'vitest'
import { createJsonLineScanner } from '../../src/formats/json/lines.ts'
import { createJsonScanner } from '../../src/formats/json/scanner.ts'
import { LIMITS, type Found, read, fields, readRecord } from '../support/json-scans.ts'

test.each([
  ['{"a": "\\ud83d"}', 'malformed: an escaped surrogate is unpaired'],
  ['{"a": "\\ude00\\ud83d"}', 'malformed: an escaped surrogate is unpaired'],
  ['{"b\\ud83dx": 1}', 'malformed: an escaped surrogate is unpaired'],
  [
    Buffer.concat([Buffer.from('{"a": "'), Buffer.from([0xf0, 0x9f, 0x98]), Buffer.from('"}')]),
    'malformed: invalid UTF-8',
  ],
  [Buffer.concat([Buffer.from('{"a": 1}'), Buffer.from([0xff])]), 'malformed: invalid UTF-8'],
  ['{"a": "\u0001"}', 'malformed: found byte 0x01 instead of a character of a string'],
  ['{"a": 01}', 'malformed: found 1 instead of a comma or }'],
  ['{"a": NaN}', 'malformed: found N instead of a value'],
  ['{"a": 1,}', 'malformed: found } instead of a key'],
  ["{'a': 1}", "malformed: found ' instead of a key"],
  ['{"a": 1', 'malformed: unexpected end'],
  [
    '{"a": 1} {"a": 2}',
    'malformed: more text follows the document; if each line is a document, use format ndjson',
  ],
  ['{"a": [[[[[[[[1]]]]]]]]}', 'malformed: nested deeper than 8'],
  [`{"${'k'.repeat(50)}": 1}`, 'malformed: a key of more than 40 bytes'],
  ['{"a": 1, "\ufeffb": 1, "\ufeff": \ufeff1}', 'malformed: found byte 0xef instead of a value'],
  ['', 'malformed: unexpected end'],
  ['[1]', 'wrong_root: $ is an array, not an object'],
  ['null', 'wrong_root: the document has nothing at $'],
])('refused whole: %s', (document, fault) => {
  expect(readRecord(['a'], document).fault).toBe(fault)
})

const BOOKS = {
  record: '$.data["all.books"][*]',
  fields: fields('t', '$.source', '$.data.v', '$.meta.x'),
  ignore: [],
}
const books = (document: string | Buffer, windowBytes?: number): Found =>
  read(createJsonScanner(BOOKS, LIMITS), document, windowBytes)

test('records in a document have what stands around them, and are kept as small documents that say the same', () => {
  const document =
    '{"other": [{"all.books": 1}], "source": "s\\n", "data": {"v": 1.0, "all.books": [{"t": "a"}, 3, {"t": "b", "u": 1}]}, "meta": {"x": [2]}}'
  const found = books(document)
  expect(found.rows).toEqual([
    ['a', 's\n', '1.0', '[2]'],
    [null, 's\n', '1.0', '[2]'],
    ['b', 's\n', '1.0', '[2]'],
  ])
  expect(found.findings).toEqual(['malformed: the item is a number, not an object', 'unexpected u=1'])
  found.kept.forEach((kept, row) => expect(books(kept).rows).toEqual([found.rows[row]]))
  expect(found.kept[2]).toBe(
    '{"source":"s\\n","meta":{"x":[2]},"data":{"v":1.0,"all.books":[{"t": "b", "u": 1}]}}',
  )
})

test.each([
  ['{"data": {"all.books": {"t": 1}}}', 'wrong_root: $.data["all.books"] is an object, not an array'],
  ['{"data": [1]}', 'wrong_root: $.data is an array, not an object'],
  ['{"data": {}}', 'wrong_root: the document has nothing at $.data["all.books"][*]'],
  ['{"data": {"all.books": null}}', 'wrong_root: the document has nothing at $.data["all.books"][*]'],
  ['{"data": [1}', 'malformed: found } instead of a comma or ]'],
  [
    '{"data": {"all.books": []}, "data": {"all.books": []}}',
    'malformed: the key data appears twice in one object outside the records',
  ],
  [
    '{"source": 1, "source": 1, "data": {"all.books": []}}',
    'malformed: the key source appears twice in one object outside the records',
  ],
  [
    '{"meta": {"x": 1, "x": 1}, "data": {"all.books": []}}',
    'malformed: the key x appears twice in one object outside the records',
  ],
])('a document without its records, or with two of what there is one: %s', (document, fault) => {
  expect(books(document).fault).toBe(fault)
})

test('in windows a field around the records comes before them, or the file is refused by name', () => {
  const before =
    '\ufeff{"meta": {"x": "é"}, "data": {"v": 2, "all.books": [{"t": "a"}, {"t": "b"}, {"t": "c"}], "v2": 1}}'
  for (const size of [1, 7, 16, 200]) expect(books(before, size)).toEqual(books(before))
  const behind = '{"data": {"all.books": [{"t": "a"}]}, "source": 1}'
  expect(books(behind).rows).toEqual([['a', '1', null, null]])
  for (const size of [5, 200])
    expect(books(behind, size).fault).toBe(
      'wrong_root: source comes after the records; in a file larger than a message, it must come before them',
    )
  const broken = Buffer.concat([
    Buffer.from(before.slice(0, -40)),
    Buffer.from([0xff]),
    Buffer.from(before.slice(-40)),
  ])
  for (const size of [3, 16, 200]) expect(books(broken, size).fault).toBe('malformed: invalid UTF-8')
})

test('lines: blank ones are none, broken ones are rows with the reason, BOM and CR LF are taken', () => {
  const lines = [
    '\ufeff{"a": 1}\r',
    '',
    ' \t',
    '{"a": 2',
    '[3]',
    '{"a": [4,\r',
    '5]}',
    '{"a": 6} {"a": 7}',
    '{"a": "8"}',
  ]
  const scan = (size?: number): Found =>
    read(createJsonLineScanner({ fields: fields('a'), ignore: [] }, LIMITS), lines.join('\n'), size)
  expect(scan().rows.map(([a]) => a)).toEqual(['1', null, null, null, null, null, '8'])
  expect(scan().findings).toEqual([
    'malformed: the line ends within a value (byte 7 of the line)',
    'malformed: found [ instead of an object (byte 0 of the line)',
    'malformed: the line ends within a value (byte 10 of the line)',
    'malformed: found 5 instead of an object (byte 0 of the line)',
    'malformed: found { instead of the end of the line (byte 9 of the line)',
  ])
  for (const size of [1, 4, 9, 30]) expect(scan(size)).toEqual(scan())
})

test('a line that is too long for a window is one row with its beginning; the lines around it are read', () => {
  const scanner = createJsonLineScanner({ fields: fields('a'), ignore: [] }, LIMITS)
  const long = `{"a": "${'x'.repeat(250_000)}"}`
  const found = read(scanner, `{"a": 1}\n${long}\n{"a": 2}\n{"a": "${'y'.repeat(90_000)}"}\n`, 30_000)
  expect(found.rows.map(([a]) => a?.length)).toEqual([1, undefined, 1, 90_000])
  expect(found.findings).toEqual([
    'malformed: the line has more than 100000 bytes; quarantine keeps its beginning',
  ])
  expect(found.kept[1]).toBe(long.slice(0, 65_536))
})
