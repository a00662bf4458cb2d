/**
 * Paths: whatever key or name a document holds, the path that reports it leads back to it; what is no path
 * says why.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonPathText, parseJsonPath } from '../../src/core/json-path.ts'
import { parseXmlPath, xmlStepText } from '../../src/core/xml-path.ts'

test('any keys of JSON: their path text leads back to them', () => {
  const key = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '',
      '.',
      '/',
      '$',
      '@',
      '*',
      'a.b',
      '[x]',
      '["x"]',
      '$.a',
      "it's",
      '"',
      '\\',
      '\u0000',
      'ключ',
      '__proto__',
    ),
  )
  fc.assert(
    fc.property(fc.array(key, { minLength: 1, maxLength: 4 }), (steps) => {
      expect(parseJsonPath(jsonPathText(steps))).toEqual({ fromRoot: false, steps })
    }),
    { numRuns: 2_000 },
  )
})

test.each([
  ['author.name', { fromRoot: false, steps: ['author', 'name'] }],
  ['author/name', { fromRoot: false, steps: ['author', 'name'] }],
  ['$.source', { fromRoot: true, steps: ['source'] }],
  ['$', { fromRoot: true, steps: [] }],
  ['$["a.b"].c', { fromRoot: true, steps: ['a.b', 'c'] }],
  ['$id', { fromRoot: false, steps: ['$id'] }],
  ['["service.name"]', { fromRoot: false, steps: ['service.name'] }],
  ['a["b"].c', { fromRoot: false, steps: ['a', 'b', 'c'] }],
  ['["\\u0041\\n"]', { fromRoot: false, steps: ['A\n'] }],
])('%s is read', (text, path) => {
  expect(parseJsonPath(text)).toEqual(path)
})

test.each([
  ['', 'empty'],
  ['a..b', 'empty at position 3'],
  ['.a', 'it starts with "."'],
  ['a.', 'it ends with "."'],
  ['a[0]', 'JSON string'],
  ['a[*]', 'JSON string'],
  ["['a']", 'JSON string'],
  ['["a"]b', 'no separator before position 6'],
])('%s is no JSON path', (text, reason) => {
  expect(parseJsonPath(text)).toContain(reason)
})

const BOUND = { dc: 'http://purl.org/dc/terms/' }

test.each([
  [
    'author/@id',
    {
      fromRoot: false,
      steps: [
        { attribute: false, local: 'author', uri: undefined, prefix: undefined },
        { attribute: true, local: 'id', uri: undefined, prefix: undefined },
      ],
    },
  ],
  [
    '/dc:a/@{}b',
    {
      fromRoot: true,
      steps: [
        { attribute: false, local: 'a', uri: BOUND.dc, prefix: 'dc' },
        { attribute: true, local: 'b', uri: '', prefix: undefined },
      ],
    },
  ],
  [
    '{http://x/y}z.1',
    { fromRoot: false, steps: [{ attribute: false, local: 'z.1', uri: 'http://x/y', prefix: undefined }] },
  ],
  ['./a', { fromRoot: false, steps: [{ attribute: false, local: 'a', uri: undefined, prefix: undefined }] }],
  ['.', { fromRoot: false, steps: [] }],
  [
    '@xml:lang',
    {
      fromRoot: false,
      steps: [{ attribute: true, local: 'lang', uri: 'http://www.w3.org/XML/1998/namespace', prefix: 'xml' }],
    },
  ],
])('%s is read', (text, path) => {
  expect(parseXmlPath(text, BOUND)).toEqual(path)
})

test.each([
  ['', 'empty'],
  ['a//b', 'empty at position 3'],
  ['a/', 'empty at position 3'],
  ['@a/b', 'nothing below'],
  ['x:a', 'prefix x is not declared'],
  ['a b', 'position 1 is not a name'],
  ['{http://x', 'position 1 is not a name'],
])('%s is no XML path', (text, reason) => {
  expect(parseXmlPath(text, BOUND)).toContain(reason)
})

test('a name in a namespace is written so that it leads back', () => {
  for (const uri of [undefined, '', BOUND.dc, 'urn:x:1/2']) {
    const path = parseXmlPath(xmlStepText('title', uri, BOUND), BOUND)
    expect(path).toMatchObject({ steps: [{ local: 'title', uri }] })
  }
})
