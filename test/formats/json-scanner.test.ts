/** Records of JSON: what each odd value, key and field in one leads to. */
import { expect, test } from 'vitest'
import { createJsonScanner } from '../../src/formats/json/scanner.ts'
import type { JsonField } from '../../src/formats/json/shape.ts'
import { LIMITS, type Cells, read, fields, readRecord } from '../support/json-scans.ts'

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
  expect(readRecord(paths, document)).toEqual({
    rows: [row],
    findings: [],
    kept: [document.replace('\ufeff', '')],
  })
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
      'malformed: the record has more than 5 unknown or repeated fields',
    ],
  ],
])('finding: %s', (_, paths, document, findings) => {
  expect(readRecord(paths, document).findings).toEqual(findings)
})

test('the first of two values counts, in items too; sub-fields have paths', () => {
  expect(readRecord(['a'], '{"a": 1, "a": 2}').rows).toEqual([['1']])
  const lines = { path: 'l', array: true, fields: [{ path: 'k' }, { path: 'm' }] }
  expect(readRecord([lines], '{"l": [{"k": 1, "m": {"x": 1} , "k": 3, "k" : [4] }, 7, null]}').rows).toEqual([
    ['[{"k": 1, "m": {"x": 1}  }, 7, null]'],
  ])
  const deep = { path: 'l', array: true, fields: [{ path: 'product.id' }, { path: '["n.n"]' }] }
  expect(readRecord([deep], '{"l": {"product": {"id": "\\u0041", "id": 2}, "n.n": 1.50}}')).toMatchObject({
    rows: [['{"product": {"id": "\\u0041"}, "n.n": 1.50}']],
    findings: ['repeated l.product.id=2'],
  })
})

test('what is ignored is left out: by path, through arrays, below a column, or all of it', () => {
  const lines = { path: 'l', array: true, fields: [{ path: 'k' }] }
  const document = '{"a": {"b": 1, "b": 2}, "*": 1, "l": [{"k": 1, "z": 2}], "c.d": {"e": []}}'
  expect(readRecord([lines], document, ['a', '["*"]', 'l.z', '["c.d"].e']).findings).toEqual([])
  expect(readRecord([lines], document, ['*']).findings).toEqual([])
  expect(readRecord([lines], document, ['a', '["*"]', 'l.z', 'c.d']).findings).toEqual([
    'unexpected ["c.d"].e=[]',
  ])
  expect(readRecord(['a.b'], '{"a": {"b": 1, "x": 2, "y": 3}}', ['a.x']).findings).toEqual([
    'unexpected a.y=3',
  ])
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
    expect(read(learned, form)).toEqual(readRecord(paths, form))
  }
})
