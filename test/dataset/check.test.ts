/** Declarations: every mistake is named with its line, column and a suggestion. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import { DATASET_SCHEMA } from '../../src/dataset/schema.ts'
import { readFileSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { checkDataset, mistakeText } from '../../src/dataset/check.ts'
import { inferType } from '../../src/dataset/infer.ts'

const books = readFileSync('datasets/books.yaml', 'utf8')
const mistakes = (text: string): string[] => checkDataset(text).mistakes.map(mistakeText)

test.each(readdirSync('datasets').filter((name) => name.endsWith('.yaml')))(
  'the declaration %s that we ship is right',
  (name) => {
    expect(mistakes(readFileSync(`datasets/${name}`, 'utf8'))).toEqual([])
  },
)

const oneField = (record: string, column: string): string =>
  `dataset: t\nsource: { files: { path: in } }\nrecord: { format: csv, ${record} }\ncolumns:\n  - ${column}\ndrift: freeze\n`

test('a field of CSV may be called *, which does not ignore it', () => {
  expect(mistakes(oneField('ignore: ["*"]', '{ name: a, path: "*" }'))).toEqual([])
})

test.each([
  [
    'a field by name where there is no header',
    oneField('header: false', '{ name: id }'),
    /5:\d+ {2}id is not a field: in a file without a header.*Write path: "1"/,
  ],
  [
    'a column of CSV that is ignored',
    oneField('ignore: [b]', '{ name: a, path: b }'),
    /record\.ignore lists b, but column a reads it/,
  ],
  [
    'an unknown field',
    books.replace('drift: evolve', 'drfit: evolve'),
    /^ {2}\d+:1 {2}unknown field drfit in the declaration\. Did you mean drift\?$/,
  ],
  [
    'a wrong type',
    books.replace('type: uuid', 'type: uid'),
    /columns\[0\]\.type is "uid"; allowed values: .*Did you mean uuid\?/,
  ],
  ['a missing field', books.replace('dataset: books\n', ''), /the declaration lacks the field dataset/],
  [
    'a column nobody declared',
    books.replace('key: [record_id]', 'key: [record_ids]'),
    /there is no column record_ids\. Did you mean record_id\?/,
  ],
  [
    'a wrong record path',
    books.replace('path: /library/book', 'path: library.book'),
    /record\.path of XML must look like/,
  ],
  [
    'a reserved name',
    books.replace('name: title,', 'name: topic, path: title,'),
    /topic is reserved for a column that Headrace adds to every table/,
  ],
  [
    'a column that rows in objects lose',
    books.replace('name: author_country', 'name: __proto__'),
    /__proto__ cannot be a column name/,
  ],
  [
    'a column that engines call the place of a row',
    books.replace('name: author_country', 'name: File_Row_Number'),
    /File_Row_Number cannot be a column name/,
  ],
  ['a column twice', books.replace('name: author_country', 'name: title'), /column title is declared twice/],
  [
    'decimal without scale',
    books.replace('name: title, required', 'name: title, type: decimal, required'),
    /needs precision and scale/,
  ],
  [
    'a bad regular expression',
    books.replace('max_length: 500', 'pattern: "(["'),
    /is not a valid regular expression/,
  ],
  [
    'a bad zone',
    books.replace(
      '- { column: publication_year }',
      '- { column: message_time, transform: day, timezone: Mars }',
    ),
    /Mars is not an IANA time zone/,
  ],
  ['YAML that is none', 'a: [1,\nb: 2', /^ {2}2:1/],
  [
    'an order that nothing uses',
    books.replace('key: [record_id]', 'key: [record_id]\n  latest_by: title'),
    /latest_by applies only to keep: latest/,
  ],
  [
    'an order by no column',
    books.replace('key: [record_id]', 'key: [record_id]\n  keep: latest\n  latest_by: titel'),
    /Did you mean title/,
  ],
  [
    'a horizon that cannot be kept',
    books.replace('key: [record_id]', 'key: [record_id]\n  keep: latest\n  horizon_days: 3'),
    /compares with all published rows/,
  ],
  [
    'two sources',
    books.replace('source:\n', 'source:\n  files: { path: x }\n'),
    /source must not have more than 1/,
  ],
])('names %s', (_, text, message) => {
  expect(mistakes(text).join('\n')).toMatch(message)
})

/** books.yaml with one path, ignored path or namespace changed. */
const title = (path: string): string =>
  books.replace('name: title,', `name: title, path: ${JSON.stringify(path)},`)
const record = (more: string): string =>
  books.replace('path: /library/book', `path: /library/book\n  ${more}`)

test.each([
  [
    'a prefix that is not bound',
    title('m:title'),
    /m:title is not an XML path: prefix m is not declared in record.namespaces\. Declare it/,
  ],
  [
    'a prefix misspelt',
    record('namespaces: { media: "urn:m" }').replace('name: title,', 'name: title, path: "meda:title",'),
    /Did you mean media\?/,
  ],
  [
    'an empty step',
    title('a//b'),
    /a\/\/b is not an XML path: a step is empty at position 3\. Name each element/,
  ],
  ['a function of XPath', title('title/text()'), /Remove text\(\)/],
  ['a predicate of XPath', title('author[1]'), /array: true collects all/],
  ['a name that is none', title('1st'), /1st is not an XML name/],
  ['an element below an attribute', title('@a/b'), /an attribute has nothing below it\. Only the last step/],
  ['a path twice', title('author/name'), /columns title and author_name both read author\/name/],
  [
    'a path in two writings',
    record('namespaces: { m: "urn:m" }')
      .replace('name: title,', 'name: title, path: "m:t",')
      .replace('columns:', 'columns:\n  - { name: other, path: "{urn:m}t" }'),
    /columns other and title both read m:t/,
  ],
  [
    'a path from the document to the record',
    title('/library/book/author/name'),
    /columns title and author_name both read author\/name/,
  ],
  ['another root', title('/shop/@id'), /start at different roots\. The root of record\.path is library/],
  [
    'a namespace that record.path leaves open',
    title('/{}library/@id'),
    /gives library a namespace, but record\.path does not/,
  ],
  ['an ignored column', record('ignore: [title]'), /record\.ignore lists title, but column title reads it/],
  [
    'an ignored path from the document',
    record('ignore: [/library/x]'),
    /paths in record\.ignore start at the record/,
  ],
  ['an ignored path that is none', record('ignore: ["a b"]'), /a b is not an XML path/],
  [
    'a record that is an attribute',
    books.replace('path: /library/book', 'path: /library/@id'),
    /a record must be an element/,
  ],
  [
    'a record path with a prefix not bound',
    books.replace('path: /library/book', 'path: /l:library/book'),
    /prefix l is not declared/,
  ],
  ['a prefix of XML', record('namespaces: { xmlns: "urn:m" }'), /XML reserves the prefix xmlns/],
  [
    'an array outside of the record',
    title('/library/tag').replace('name: title,', 'name: title, array: true,'),
    /only arrays inside it/,
  ],
  [
    'fields of an attribute',
    books.replace(
      'columns:',
      'columns:\n  - { name: other, path: "@x", array: true, fields: [{ name: y }] }',
    ),
    /@x is an attribute and cannot have fields/,
  ],
  [
    'a field from the document',
    books.replace('columns:', 'columns:\n  - { name: other, array: true, fields: [{ name: y, path: /y }] }'),
    /\/y starts at the document.*Write y/,
  ],
])('names an XML path that is wrong: %s', (_, text, message) => {
  expect(mistakes(text).join('\n')).toMatch(message)
})

test('XML paths that are right: the same name in two namespaces, a way on below an ignored element', () => {
  const text = record(
    'namespaces: { m: "urn:m" }\n  ignore: ["m:title", "{urn:x}title", "@xml:lang", author, "author/@{}id"]',
  )
  expect(mistakes(text)).toEqual([])
})

test('all mistakes are said at once, in order of lines', () => {
  const found = checkDataset(
    books.replace('type: uuid', 'type: uid').replace('drift: evolve', 'drift: ignore'),
  ).mistakes
  expect(found).toHaveLength(2)
  expect(found[0].line).toBeLessThan(found[1].line)
})

test.each([
  [['3f0ae2be-81a2-4ac7-9a33-eec256613c57'], 'uuid'],
  [['1', '20'], 'integer'],
  [['00123'], 'string'],
  [['1', '9999999999'], 'long'],
  [['1.50', '2.25'], 'decimal'],
  [['2026-01-02'], 'date'],
  [['2026-01-02T03:04:05Z'], 'timestamp'],
  [['true', 'FALSE'], 'boolean'],
  [['1', 'x'], 'string'],
])('infers the narrowest type that fits %j', (values, type) => {
  expect(inferType(values).type).toBe(type)
})

test('our JSON Schema is one, by its own draft', () => {
  const ajv = new Ajv2020({ strict: false })
  expect(ajv.validateSchema(DATASET_SCHEMA), JSON.stringify(ajv.errors)).toBe(true)
  expect(ajv.validateSchema({ ...DATASET_SCHEMA, type: 'no such type' })).toBe(false)
})

const csv = (record: string): string =>
  `dataset: a\nsource: { files: { path: x } }\nrecord: { format: csv, ${record} }\ncolumns: [{ name: id }]\n`

test.each([
  'delimiter: ";"',
  'delimiter: "\\t"',
  'delimiter: §',
  'delimiter: ¦, quote: ¬',
  'delimiter: "|", quote: ""',
  'delimiter: 🙂',
  'delimiter: "\\0"',
  'delimiter: " "',
  'quote: "\'"',
  'encoding: windows-1252',
  'encoding: UTF-16LE',
  'encoding: Shift_JIS',
  'encoding: latin1',
  'encoding: utf8',
])('CSV with %s is right', (record) => {
  expect(mistakes(csv(record))).toEqual([])
})

test.each([
  [
    'delimiter: "\\\\t"',
    /^ {2}3:35 {2}delimiter must be one character, found 2: "\\\\t"\. Write delimiter: "\\t"\.$/,
  ],
  ['delimiter: tab', /Write delimiter: "\\t"/],
  ['delimiter: semicolon', /Write delimiter: ";"/],
  ['delimiter: "||"', /delimiter must be one character, found 2: "\|\|"/],
  ['delimiter: ""', /delimiter must be one character, found none/],
  ['delimiter: x', /delimiter "x" is a letter/],
  ['delimiter: é', /is a letter/],
  ['delimiter: "1"', /is a digit/],
  ['delimiter: "\\n"', /is a line end/],
  ['delimiter: "\\r"', /is a line end/],
  ['delimiter: "\\u2028"', /is a line end/],
  ['delimiter: "\\uFEFF"', /is a combining mark, a byte order mark or half a character/],
  ['delimiter: "\\""', /delimiter and quote are both/],
  ['delimiter: ";", quote: ";"', /delimiter and quote are both ";"/],
  ['quote: "\'\'"', /quote must be one character, found 2/],
  ['quote: q', /quote "q" is a letter/],
  ['quote: none', /Write quote: ""/],
  ['encoding: windows-1253x', /^ {2}3:34 {2}unknown encoding "windows-1253x"\. Did you mean windows-1253\?$/],
  ['encoding: ansi', /Did you mean windows-1252\?/],
  ['encoding: cp437', /unknown encoding "cp437"\. /],
  ['encoding: utf-32', /unknown encoding/],
  ['encoding: ""', /unknown encoding ""/],
])('CSV with %s is refused with its place and a suggestion', (record, message) => {
  expect(mistakes(csv(record)).join('\n')).toMatch(message)
})
