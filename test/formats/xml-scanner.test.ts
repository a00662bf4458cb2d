/** What the scanner takes out of documents, and what it refuses. */
import { expect, test } from 'vitest'
import { scan, scannerFor } from '../support/xml.ts'

const books = scannerFor({
  record: '/library/book',
  ignore: [],
  fields: [{ path: '@id' }, { path: 'title' }, { path: 'author/name' }, { path: '/library/@source' }],
})

test('takes attributes, nested elements and envelope values, in any order of elements', () => {
  const { rows, fault } = scan(
    books,
    '<library source="s1"><book id="1"><author><name>N</name></author><title>T</title></book><book><title/></book></library>',
  )
  expect(fault).toBeUndefined()
  expect(rows).toEqual([
    ['1', 'T', 'N', 's1'],
    [null, '', null, 's1'],
  ])
})

test('decodes references, CDATA and line ends, and leaves comments out of values', () => {
  const { rows } = scan(
    books,
    '<library><book id="a&amp;&#x62;"><title>x &lt; <![CDATA[<y> & ]]>z<!-- no -->\r\nw</title></book></library>',
  )
  expect(rows[0].slice(0, 2)).toEqual(['a&b', 'x < <y> & z\nw'])
})

test('learns another order of elements and still takes the same values', () => {
  const authorLast = '<book id="1"><title>T</title><author><name>N</name></author></book>'
  const authorFirst = '<book id="1"><author><name>N</name></author><title>T</title></book>'
  for (const document of [authorLast, authorFirst, authorFirst, authorLast, authorLast].map(
    (book) => `<library>${book}${book}</library>`,
  ))
    expect(scan(books, document).rows).toEqual([
      ['1', 'T', 'N', null],
      ['1', 'T', 'N', null],
    ])
})

test('reports unknown leaves and attributes by their path, and repeated scalars', () => {
  scan(
    books,
    '<library><book id="1" lang="en"><title>a</title><title>b</title><publisher><city>X</city></publisher></book></library>',
  )
  expect(books.records.issues.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
    'unexpected @lang',
    'repeated title',
    'unexpected publisher/city',
  ])
})

test('collects repeated elements into arrays, plain and of objects', () => {
  const shelf = scannerFor({
    record: '/r/b',
    fields: [
      { path: 'tag', array: {} },
      {
        path: 'author',
        array: {
          fields: [
            { name: 'name', path: 'name' },
            { name: 'role', path: '@role' },
          ],
        },
      },
    ],
  })
  const { rows } = scan(
    shelf,
    '<r><b><tag>x</tag><author role="a"><name>N</name></author><tag>y</tag><author><name>M</name></author></b></r>',
  )
  expect(rows[0].map((cell) => JSON.parse(cell as string))).toEqual([
    ['x', 'y'],
    [{ role: 'a', name: 'N' }, { name: 'M' }],
  ])
})

test('matches declared namespaces by URI, and any namespace where none is declared', () => {
  const spaced = scannerFor({
    record: '/b:library/b:book',
    namespaces: { b: 'urn:books' },
    fields: [{ path: 'b:title' }],
  })
  expect(
    scan(spaced, '<x:library xmlns:x="urn:books"><x:book><x:title>T</x:title></x:book></x:library>').rows,
  ).toEqual([['T']])
  expect(scan(spaced, '<library xmlns="urn:books"><book><title>T</title></book></library>').rows).toEqual([
    ['T'],
  ])
  expect(scan(spaced, '<library xmlns="urn:other"><book><title>T</title></book></library>').fault).toMatch(
    /root element/,
  )
  expect(
    scan(books, '<l:library xmlns:l="urn:any"><l:book><l:title>T</l:title></l:book></l:library>').rows[0][1],
  ).toBe('T')
})

test.each([
  ['a DTD', '<!DOCTYPE r [<!ENTITY a "b">]><library/>', /DTD/],
  [
    'an entity of a DTD elsewhere',
    '<!DOCTYPE r SYSTEM "file:///etc/passwd"><library><book>&nbsp;</book></library>',
    /entity &nbsp; needs a DTD/,
  ],
  [
    'an entity without a DTD',
    '<library><book><title>&lol;</title></book></library>',
    /reference to the entity &lol;/,
  ],
  ['too deep a document', `<library>${'<a>'.repeat(100)}${'</a>'.repeat(100)}</library>`, /nested deeper/],
  [
    'too many attributes',
    `<library ${Array.from({ length: 100 }, (_, i) => `a${i}="1"`).join(' ')}/>`,
    /attributes/,
  ],
  ['a long name', `<library><${'a'.repeat(2000)}/></library>`, /name longer/],
  [
    'a doubled attribute by namespace',
    '<library xmlns:a="u" xmlns:b="u"><book a:x="1" b:x="2"/></library>',
    /duplicate attribute/,
  ],
  ['an unbound prefix', '<library><p:book/></library>', /unbound/],
  ['another root', '<shop/>', /root element is <shop>/],
  ['XML 1.1', '<?xml version="1.1"?><library/>', /1\.0/],
  ['a second root', '<library/><library/>', /more than one root/],
])('refuses %s', (_, document, reason) => {
  expect(scan(books, document)).toMatchObject({ rows: [], fault: expect.stringMatching(reason) })
})

test.each([
  ['a lone continuation byte', [0x80]],
  ['an overlong slash', [0xc0, 0xaf]],
  ['a surrogate', [0xed, 0xa0, 0x80]],
  ['a cut sequence', [0xe2, 0x82]],
  ['beyond Unicode', [0xf5, 0x80, 0x80, 0x80]],
  ['U+FFFE', [0xef, 0xbf, 0xbe]],
])('refuses invalid UTF-8 in text: %s', (_, bytes) => {
  const document = Buffer.concat([
    Buffer.from('<library><book><title>a'),
    Buffer.from(bytes),
    Buffer.from('</title></book></library>'),
  ])
  expect(scan(books, document).fault).toMatch(/UTF-8|disallowed/)
})

test('a broken document adds no rows to those before it', () => {
  const good = scan(books, '<library><book><title>a</title></book></library>')
  expect(good.rows).toHaveLength(1)
  expect(scan(books, '<library><book><title>a</title></book><book></library>').rows).toHaveLength(0)
})
