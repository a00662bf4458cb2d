/** The same name in several namespaces, as real formats have it: feeds, SOAP, UBL, CDA, XBRL. */
import { expect, test } from 'vitest'
import type { XmlField, XmlShapeSpec } from '../../src/formats/xml/shape.ts'
import { scan, scannerFor } from '../support/xml.ts'

const MEDIA = 'http://search.yahoo.com/mrss/'
const ITUNES = 'http://www.itunes.com/dtds/podcast-1.0.dtd'
const fields = (...paths: (string | XmlField)[]): XmlField[] =>
  paths.map((path) => (typeof path === 'string' ? { path } : path))

/** Rows, and what was reported: `kind path`. */
function read(
  spec: Partial<XmlShapeSpec> & Pick<XmlShapeSpec, 'record' | 'fields'>,
  document: string,
): { rows: unknown[][]; issues: string[] } {
  const scanner = scannerFor({ ignore: [], ...spec })
  const once = (): { rows: unknown[][]; issues: string[] } => {
    const { rows, fault } = scan(scanner, document)
    expect(fault).toBeUndefined()
    return { rows, issues: scanner.records.issues.map(({ row, kind, path }) => `${row} ${kind} ${path}`) }
  }
  const first = once()
  expect(once()).toEqual(first)
  return first
}

const rss = (...items: string[]): string =>
  `<rss xmlns:media="${MEDIA}" xmlns:itunes="${ITUNES}" xmlns:atom="http://www.w3.org/2005/Atom"><channel>${items.map((item) => `<item>${item}</item>`).join('')}</channel></rss>`

test.each([
  ['title', 'media:title'],
  ['media:title', 'title'],
])('RSS: %s before %s', (...paths) => {
  const found = read(
    { record: '/rss/channel/item', fields: fields(...paths), namespaces: { media: MEDIA } },
    rss(
      '<media:title>M</media:title><title>T</title>',
      '<title>T</title><media:title>M</media:title>',
      '<media:title>M</media:title>',
      '<title>T</title>',
      '<itunes:title>I</itunes:title><title>T</title>',
      '<itunes:title>I</itunes:title>',
    ),
  )
  const pairs = [
    ['T', 'M'],
    ['T', 'M'],
    [null, 'M'],
    ['T', null],
    ['T', null],
    ['I', null],
  ]
  expect(found.rows).toEqual(paths[0] === 'title' ? pairs : pairs.map((pair) => pair.toReversed()))
  expect(found.issues).toEqual([`4 unexpected {${ITUNES}}title`])
})

test('RSS: what is ignored by its namespace leaves the plain name alone', () => {
  for (const ignore of [['itunes:title', '@xml:lang'], [`{${ITUNES}}title`, '@xml:lang'], ['*']])
    expect(
      read(
        { record: '/rss/channel/item', fields: fields('title'), ignore, namespaces: { itunes: ITUNES } },
        rss(
          '<itunes:title>I</itunes:title><title>T</title>',
          '<title xml:lang="en">T</title><itunes:title>I</itunes:title>',
        ),
      ),
    ).toEqual({ rows: [['T'], ['T']], issues: [] })
})

test('RSS: link and atom:link, only foreign ones, and one twice', () => {
  const found = read(
    { record: '/rss/channel/item', fields: fields('link') },
    rss(
      '<link>L</link><atom:link href="a"/>',
      '<itunes:link>1</itunes:link><media:link>2</media:link>',
      '<link>1</link><link>2</link>',
    ),
  )
  expect(found.rows).toEqual([['L'], ['1'], ['1']])
  expect(found.issues).toEqual([
    '0 unexpected {http://www.w3.org/2005/Atom}link/@href',
    '0 unexpected {http://www.w3.org/2005/Atom}link',
    `1 unexpected {${MEDIA}}link`,
    '2 repeated link',
  ])
})

test('Atom: the namespace of the feed before others, and a content of another default namespace', () => {
  const feed =
    '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:dc="http://purl.org/dc/elements/1.1/"><title>F</title><entry><dc:title>D</dc:title><title>T</title><author><dc:name>X</dc:name><name>N</name></author><div xmlns="http://www.w3.org/1999/xhtml"><title>H</title></div></entry></feed>'
  expect(
    read(
      {
        record: '/feed/entry',
        fields: fields('title', 'author/name', '/feed/title', 'dc:title'),
        namespaces: { dc: 'http://purl.org/dc/elements/1.1/' },
      },
      feed,
    ),
  ).toEqual({
    rows: [['T', 'N', 'F', 'D']],
    issues: ['0 unexpected author/dc:name', '0 unexpected {http://www.w3.org/1999/xhtml}div/title'],
  })
})

test('SOAP: an envelope with namespaces, and children in none', () => {
  const soap =
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header><id xmlns="urn:h">h</id></s:Header><s:Body><m:Orders xmlns:m="urn:m"><m:Order><id>1</id><m:id>2</m:id></m:Order><m:Order><n:id xmlns:n="urn:n">4</n:id><m:id>3</m:id></m:Order></m:Orders></s:Body></s:Envelope>'
  const issues = ['0 unexpected {urn:m}id', '1 unexpected {urn:n}id']
  for (const record of [
    '/Envelope/Body/Orders/Order',
    '/{http://schemas.xmlsoap.org/soap/envelope/}Envelope/Body/{urn:m}Orders/Order',
  ])
    expect(read({ record, fields: fields('id', '/Envelope/Header/id') }, soap)).toEqual({
      rows: [
        ['1', 'h'],
        ['3', 'h'],
      ],
      issues,
    })
  expect(
    read(
      {
        record: '/Envelope/Body/Orders/Order',
        fields: fields('{}id', 'q:id', '{urn:n}id'),
        namespaces: { q: 'urn:m' },
      },
      soap,
    ),
  ).toEqual({
    rows: [
      ['1', '2', null],
      [null, '3', '4'],
    ],
    issues: [],
  })
})

test('UBL and XBRL: names only in foreign namespaces; the same prefix bound to others', () => {
  const ubl =
    '<Invoice xmlns="urn:i" xmlns:cac="urn:cac" xmlns:cbc="urn:cbc"><cbc:ID>7</cbc:ID><cac:InvoiceLine><cbc:ID schemeID="s">1</cbc:ID><cac:Item><cbc:Name>N</cbc:Name></cac:Item></cac:InvoiceLine></Invoice>'
  expect(
    read(
      { record: '/Invoice/InvoiceLine', fields: fields('ID', 'ID/@schemeID', 'Item/Name', '/Invoice/ID') },
      ubl,
    ),
  ).toEqual({ rows: [['1', 's', 'N', '7']], issues: [] })
  const xbrl =
    '<x:xbrl xmlns:x="urn:x"><x:context><p:value xmlns:p="urn:a">a</p:value><p:value xmlns:p="urn:b">b</p:value></x:context><x:context xmlns:p="urn:b"><p:value>b</p:value></x:context></x:xbrl>'
  expect(
    read(
      {
        record: '/xbrl/context',
        fields: fields('one:value', 'two:value'),
        namespaces: { one: 'urn:a', two: 'urn:b' },
      },
      xbrl,
    ),
  ).toEqual({
    rows: [
      ['a', 'b'],
      [null, 'b'],
    ],
    issues: [],
  })
})

test('CDA: extensions beside the elements they extend, attributes with and without prefix', () => {
  const cda =
    '<d xmlns="urn:hl7-org:v3" xmlns:sdtc="urn:hl7-org:sdtc" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><patient sdtc:id="e" id="p" xsi:type="T"><sdtc:raceCode code="2"/><raceCode code="1"/></patient><patient sdtc:id="e"/></d>'
  const found = read(
    {
      record: '/d/patient',
      fields: fields('@id', 'raceCode/@code', '@xsi:type'),
      namespaces: { xsi: 'http://www.w3.org/2001/XMLSchema-instance' },
    },
    cda,
  )
  expect(found).toEqual({
    rows: [
      ['p', '1', 'T'],
      ['e', null, null],
    ],
    issues: [
      '0 unexpected @{urn:hl7-org:sdtc}id',
      '0 unexpected {urn:hl7-org:sdtc}raceCode/@code',
      '0 unexpected {urn:hl7-org:sdtc}raceCode',
    ],
  })
})

test('arrays: items of one namespace, whole elements of another one are strangers', () => {
  const list =
    '<r xmlns:x="urn:x"><b><x:tag>0</x:tag><tag>1</tag><x:tag>2</x:tag><tag>3</tag><x:by><name>X</name></x:by><by><x:name>Y</x:name><name>N</name><name>M</name></by></b></r>'
  const found = read(
    {
      record: '/r/b',
      fields: fields(
        { path: 'tag', array: {} },
        { path: 'by', array: { fields: [{ name: 'name', path: 'name' }] } },
      ),
    },
    list,
  )
  expect(found.rows).toEqual([['["1","3"]', '[{"name":"N"}]']])
  expect(found.issues).toEqual([
    '0 unexpected {urn:x}tag',
    '0 unexpected {urn:x}tag',
    '0 unexpected {urn:x}by/name',
    '0 unexpected by/{urn:x}name',
    '0 repeated by/name',
  ])
})

test('a default namespace that is taken back: no namespace before that of the parent, in elements and in their paths', () => {
  const document = '<r xmlns="urn:d"><b><t>d</t><t xmlns="">none</t><u>d</u><u xmlns="">none</u></b></r>'
  expect(read({ record: '/r/b', fields: fields('t') }, document)).toEqual({
    rows: [['none']],
    issues: ['0 unexpected {urn:d}t', '0 unexpected {urn:d}u', '0 unexpected u'],
  })
})

test('mixed content, empty elements, unknown children: nothing is lost without a word', () => {
  const document =
    '<r><b>own<t>Th<i>ree</i> &amp; more</t><a>stray<n/></a><note>see <ref>1</ref></note><e/><f> </f></b></r>'
  expect(read({ record: '/r/b', fields: fields('t', 'a/n') }, document)).toEqual({
    rows: [['Th & more', '']],
    issues: [
      '0 unexpected t/i',
      '0 unexpected a',
      '0 unexpected note/ref',
      '0 unexpected note',
      '0 unexpected e',
      '0 unexpected f',
      '0 unexpected .',
    ],
  })
})

test('every element of the record name is a record, whatever its namespace', () => {
  const document = '<r xmlns:x="urn:x"><x:b><t>1</t></x:b><b><t>2</t></b><b xmlns="urn:y"><t>3</t></b></r>'
  expect(read({ record: '/r/b', fields: fields('t') }, document).rows).toEqual([['1'], ['2'], ['3']])
  expect(read({ record: '/r/{}b', fields: fields('t') }, document).rows).toEqual([['2']])
})
