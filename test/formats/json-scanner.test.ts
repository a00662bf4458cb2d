/** Shapes of JSON records: what each odd one leads to, in documents, by line and in windows. */
import { expect, test } from 'vitest'
import { createSlab } from '../../src/core/slab.ts'
import { createJsonLineScanner } from '../../src/formats/json/lines.ts'
import { createJsonScanner } from '../../src/formats/json/scanner.ts'
import type { JsonField } from '../../src/formats/json/shape.ts'
import type { DocumentScanner } from '../../src/formats/records.ts'

const LIMITS = { depth: 8, keyBytes: 40, findings: 5, lineBytes: 100_000 }

type Cells = (string | null)[]

interface Found {
  fault?: string
  rows: Cells[]
  /** `kind path=value`. */
  findings: string[]
  /** Each record as a small document. */
  kept: string[]
}

function read(scanner: DocumentScanner, document: string | Buffer, windowBytes?: number): Found {
  const bytes = Buffer.from(document)
  const slab = createSlab(Buffer.byteLength(document) + 4096)
  const found: Found = { rows: [], findings: [], kept: [] }
  const take = (): void => {
    const { records } = scanner
    const text = (start: number, length: number): string => slab.bytes.toString('utf8', start, start + length)
    const around = scanner.around(0)
    const [before, after] = typeof around === 'function' ? around() : around
    for (const { kind, path, start, length, reason } of records.issues)
      found.findings.push(
        kind === 'malformed' ? `${kind}: ${reason}` : `${kind} ${path}=${text(start, length)}`,
      )
    for (let row = 0; row < records.rows; row += 1) {
      const [from, to] = [records.extents[row * 2], records.extents[row * 2 + 1]]
      found.kept.push(before + text(from, to - from) + after)
      found.rows.push(
        Array.from({ length: records.width }, (_, column) => {
          const at = (row * records.width + column) * 2
          return records.cells[at + 1] < 0 ? null : text(records.cells[at], records.cells[at + 1])
        }),
      )
    }
  }
  slab.bytes.set(bytes)
  slab.end = bytes.length
  if (windowBytes === undefined) {
    const fault = scanner.scanMessage(slab, 0, bytes.length)
    if (fault !== undefined) return { ...found, fault: `${fault.rule}: ${fault.reason}` }
    take()
    return found
  }
  scanner.beginDocument()
  let from = 0
  for (let end = windowBytes; ; end += windowBytes) {
    const final = end >= bytes.length
    const { consumed, fault } = scanner.scanWindow(slab, from, Math.min(end, bytes.length), final)
    if (fault !== undefined) return { ...found, fault: `${fault.rule}: ${fault.reason}` }
    take()
    from = consumed
    if (final) return found
  }
}

const fields = (...paths: (string | JsonField)[]): JsonField[] =>
  paths.map((path) => (typeof path === 'string' ? { path, array: false } : path))
const one = (paths: (string | JsonField)[], document: string | Buffer, ignore: string[] = []): Found =>
  read(createJsonScanner({ record: '$', fields: fields(...paths), ignore }, LIMITS), document)

test.each<[string, (string | JsonField)[], string, Cells]>([
  ['numbers keep their digits', ['v'], '{"v": 9007199254740993}', ['9007199254740993']],
  ['and their zeros', ['v'], '{"v": -0.10E+2}', ['-0.10E+2']],
  [
    'an array as it stands',
    [{ path: 'v', array: true }],
    '{"v": [9007199254740993, 1.50 , {"x": 1e400}]}',
    ['[9007199254740993, 1.50 , {"x": 1e400}]'],
  ],
  ['a text where an array is wanted stays a text', [{ path: 'v', array: true }], '{"v": "[1]"}', ['"[1]"']],
  ['an object in a column of text', ['v'], '{"v": {"a": [true, null]}}', ['{"a": [true, null]}']],
  [
    'null is absent, "null" and "" are not',
    ['a', 'b', 'c'],
    '{"a": null, "b": "null", "c": ""}',
    [null, 'null', ''],
  ],
  [
    'escapes',
    ['v'],
    '{"v": "\\u00e9\\n\\"\\\\\\/\\ud83d\\ude00\\u0000\\u07ff\\u0800\\uffff"}',
    ['é\n"\\/😀\0\u07ff\u0800\uffff'],
  ],
  [
    'any key',
    ['["a.b"]', '["a/b"]', '[""]', '$id', '@type', '["*"]', '__proto__', 'ключ'],
    '{"a.b":1,"a/b":2,"":3,"$id":4,"@type":5,"*":6,"__proto__":7,"ключ":8}',
    ['1', '2', '3', '4', '5', '6', '7', '8'],
  ],
  [
    'a key by its escapes',
    ['a"b', 'constructor'],
    '{"\\u0061\\"\\u0062": 1, "c\\u006fnstructor": 2}',
    ['1', '2'],
  ],
  ['a point is a step only outside of brackets', ['a.b', '["a.b"]'], '{"a.b": 1, "a": {"b": 2}}', ['2', '1']],
  [
    'a path from the root of a message that is the record',
    ['$.a.b', 'c'],
    '{"a": {"b": 1}, "c": 2}',
    ['1', '2'],
  ],
  [
    'an object and its field, both columns',
    ['a', 'a.b'],
    '{"a": {"b": 1, "c": 2}}',
    ['{"b": 1, "c": 2}', '1'],
  ],
  ['of such two, a value that is no object', ['a', 'a.b'], '{"a": 5}', ['5', null]],
  ['a byte order mark', ['a'], '\ufeff{"a": 1}', ['1']],
])('%s', (_, paths, document, row) => {
  expect(one(paths, document)).toEqual({ rows: [row], findings: [], kept: [document.replace('\ufeff', '')] })
})

test.each<[string, (string | JsonField)[], string, string[]]>([
  ['a key twice', ['a'], '{"a": 1, "a": 2}', ['repeated a=2']],
  ['null counts as one of two', ['a'], '{"a": null, "a": 1}', ['repeated a=1']],
  ['twice by its escapes', ['a'], '{"a": 1, "\\u0061": "\\u0062"}', ['repeated a=b']],
  ['twice in an inner object', ['a.b'], '{"a": {"b": 1, "b": 2}}', ['repeated a.b=2']],
  ['an object twice', ['a.b'], '{"a": {"b": 1}, "a": {"b": 1}}', ['repeated a={"b": 1}']],
  [
    'twice in the text of a column',
    ['a'],
    '{"a": {"x": [{"k": 1, "y.z": 2, "y.z": 3}]}}',
    ['repeated a.x["y.z"]=3'],
  ],
  [
    'twice in an item',
    [{ path: 'l', array: true, fields: [{ path: 'k' }] }],
    '{"l": [{"k": 1}, {"k": 2, "k": 3}]}',
    ['repeated l.k=3'],
  ],
  [
    'among many unknown keys',
    [],
    `{${Array.from({ length: 30 }, (_, i) => `"k${i}": null`).join()}, "k3": null}`,
    ['repeated k3=null'],
  ],
  ['an unknown field', ['a'], '{"b": "x\\n"}', ['unexpected b=x\n']],
  [
    'an unknown object by its fields',
    ['a'],
    '{"b": {"c": 1, "d": {"e.f": [1]}}}',
    ['unexpected b.c=1', 'unexpected b.d["e.f"]=[1]'],
  ],
  [
    'an unknown empty object or array',
    ['a.b'],
    '{"b": {}, "a": {"c": [], "d": {"e": {}}}}',
    ['unexpected b={}', 'unexpected a.c=[]', 'unexpected a.d.e={}'],
  ],
  ['unknown null is nothing', ['a'], '{"b": null, "c": {"d": null}}', []],
  ['a value where an object is declared', ['a.b'], '{"a": 5}', ['unexpected a=5']],
  ['an array where an object is declared', ['a.b'], '{"a": [{"b": 1}]}', ['unexpected a=[{"b": 1}]']],
  ['null and an empty object where an object is declared', ['a.b', 'c.d'], '{"a": null, "c": {}}', []],
  [
    'an unknown field of an item',
    [{ path: 'l', array: true, fields: [{ path: 'k' }] }],
    '{"l": [{"k": 1, "z": 2}]}',
    ['unexpected l.z=2'],
  ],
  [
    'more findings than the limit',
    [],
    '{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7}',
    [
      'unexpected a=1',
      'unexpected b=2',
      'unexpected c=3',
      'unexpected d=4',
      'unexpected e=5',
      'malformed: more than 5 unknown or repeated fields',
    ],
  ],
])('finding: %s', (_, paths, document, findings) => {
  expect(one(paths, document).findings).toEqual(findings)
})

test('the first of two values counts, in items too; sub-fields have paths', () => {
  expect(one(['a'], '{"a": 1, "a": 2}').rows).toEqual([['1']])
  const lines = { path: 'l', array: true, fields: [{ path: 'k' }, { path: 'm' }] }
  expect(one([lines], '{"l": [{"k": 1, "m": {"x": 1} , "k": 3, "k" : [4] }, 7, null]}').rows).toEqual([
    ['[{"k": 1, "m": {"x": 1}  }, 7, null]'],
  ])
  const deep = { path: 'l', array: true, fields: [{ path: 'product.id' }, { path: '["n.n"]' }] }
  expect(one([deep], '{"l": {"product": {"id": "\\u0041", "id": 2}, "n.n": 1.50}}')).toMatchObject({
    rows: [['{"product": {"id": "\\u0041"}, "n.n": 1.50}']],
    findings: ['repeated l.product.id=2'],
  })
})

test('what is ignored is left out: by path, through arrays, below a column, or all of it', () => {
  const lines = { path: 'l', array: true, fields: [{ path: 'k' }] }
  const document = '{"a": {"b": 1, "b": 2}, "*": 1, "l": [{"k": 1, "z": 2}], "c.d": {"e": []}}'
  expect(one([lines], document, ['a', '["*"]', 'l.z', '["c.d"].e']).findings).toEqual([])
  expect(one([lines], document, ['*']).findings).toEqual([])
  expect(one([lines], document, ['a', '["*"]', 'l.z', 'c.d']).findings).toEqual(['unexpected ["c.d"].e=[]'])
  expect(one(['a.b'], '{"a": {"b": 1, "x": 2, "y": 3}}', ['a.x']).findings).toEqual(['unexpected a.y=3'])
})

test.each([
  ['{"a": "\\ud83d"}', 'malformed: an escaped surrogate has no partner'],
  ['{"a": "\\ude00\\ud83d"}', 'malformed: an escaped surrogate has no partner'],
  ['{"b\\ud83dx": 1}', 'malformed: an escaped surrogate has no partner'],
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
    'malformed: more follows the end of the document; documents by line are format ndjson',
  ],
  ['{"a": [[[[[[[[1]]]]]]]]}', 'malformed: nested deeper than 8'],
  [`{"${'k'.repeat(50)}": 1}`, 'malformed: a key of more than 40 bytes'],
  ['{"a": 1, "\ufeffb": 1, "\ufeff": \ufeff1}', 'malformed: found byte 0xef instead of a value'],
  ['', 'malformed: unexpected end'],
  ['[1]', 'wrong_root: $ is an array, not an object'],
  ['null', 'wrong_root: the document has nothing at $'],
])('refused whole: %s', (document, fault) => {
  expect(one(['a'], document).fault).toBe(fault)
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
    'malformed: the key data stands twice in one object, outside of the records',
  ],
  [
    '{"source": 1, "source": 1, "data": {"all.books": []}}',
    'malformed: the key source stands twice in one object, outside of the records',
  ],
  [
    '{"meta": {"x": 1, "x": 1}, "data": {"all.books": []}}',
    'malformed: the key x stands twice in one object, outside of the records',
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
      'wrong_root: source stands behind the records; in a file that is larger than a message it must come before them',
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
    'malformed: the line ends too early (byte 7 of the line)',
    'malformed: found [ instead of an object (byte 0 of the line)',
    'malformed: the line ends too early (byte 10 of the line)',
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
  expect(found.findings).toEqual(['malformed: a line of more than 100000 bytes; its beginning is kept'])
  expect(found.kept[1]).toBe(long.slice(0, 65_536))
})

test('what is left out inside of items is no value of the record', () => {
  const list = { path: 'l', array: true, fields: [{ path: 'k' }] }
  const scanner = createJsonScanner({ record: '$[*]', fields: fields(list, 'z'), ignore: ['*'] }, LIMITS)
  const item = (i: number): string =>
    `{"l": [{"k": 7, "x": "${'y'.repeat(i)}"}, {"x": ${i}}], "u": ${i}, "z": ${i * 1000}}`
  const found = read(scanner, `[${Array.from({ length: 9 }, (_, i) => item(i)).join()}]`)
  expect(found.rows).toEqual(
    Array.from({ length: 9 }, (_, i) => [
      `[{"k": 7, "x": "${'y'.repeat(i)}"}, {"x": ${i}}]`,
      String(i * 1000),
    ]),
  )
})

test('records of a known form and of others in between give the same as a scanner that knows none', () => {
  const paths = ['a', 'b.c', 'd']
  const forms = [
    '{"a": "x", "b": {"c": 1}, "d": null}',
    '{"a": null, "b": null, "d": [1]}',
    '{"d": {"k": 1, "k": 2}, "a": "\\n"}',
    '{"a": 1, "b": {"c": 2}, "d": 3, "a": 4}',
    '{"a":  "x", "b": {"c": 1}, "d": null}',
    '{"b": 5}',
    '{"e": 1}',
    '{"a": "x", "b": {"c": -0}, "d": true}',
  ]
  const learned = createJsonScanner({ record: '$', fields: fields(...paths), ignore: [] }, LIMITS)
  let seed = 7
  for (let i = 0; i < 3_000; i += 1) {
    seed = (seed * 1103515245 + 12345) % 2147483648
    const form = forms[seed % forms.length]
    learned.records.rows = learned.records.issues.length = 0
    expect(read(learned, form)).toEqual(one(paths, form))
  }
})
