/**
 * Outlines of samples: what was written is what is found, in any dialect, and a cut-off end costs only what
 * was cut off.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isOutlineFault, type Outline, type OutlineFault, type SampleField } from '../../src/core/outline.ts'
import { outlineCsv } from '../../src/formats/csv/outline.ts'
import { outlineJson, outlineJsonLines } from '../../src/formats/json/outline.ts'
import { closedText, isFault, readJsonValue } from '../../src/formats/json/sample.ts'
import { textOfSample } from '../../src/formats/sample-text.ts'
import { outlineXml } from '../../src/formats/xml/outline.ts'

const found = (outline: Outline | OutlineFault): Outline => {
  if (isOutlineFault(outline)) throw new Error(outline.reason)
  return outline
}
const csv = (text: string, cut = false): Outline => found(outlineCsv([{ text, cut }]))
const cells = (field: SampleField): Record<number, string> =>
  Object.fromEntries(field.rows.map((row, i) => [row, field.values[i]]))
const paths = (outline: Outline): string[] => outline.fields.map((field) => field.path)

describe('CSV', () => {
  test('finds the delimiter and quote of what it reads', () => {
    const value = fc.stringMatching(/^[a-z ,;|§¦^"'\n]{0,8}$/)
    const table = fc
      .integer({ min: 2, max: 5 })
      .chain((width) =>
        fc.array(fc.array(value, { minLength: width, maxLength: width }), { minLength: 8, maxLength: 12 }),
      )
    fc.assert(
      fc.property(table, fc.constantFrom(',', ';', '\t', '|', '§', '¦', '^', '\u0001'), (rows, delimiter) => {
        const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`
        const header = rows[0].map((_, i) => `name_${i}`)
        const text = [header, ...rows.map((row, i) => [`${i}`, ...row.slice(1).map(quoted)])]
          .map((row) => row.join(delimiter))
          .join('\r\n')
        const outline = csv(text)
        expect(outline.settings).toEqual(delimiter === ',' ? {} : { delimiter })
        expect(paths(outline)).toEqual(header)
        for (const [i, field] of outline.fields.slice(1).entries())
          expect(field.values).toEqual(rows.map((row) => row[i + 1]))
      }),
      { numRuns: 300, seed: 14 },
    )
  })

  test.each<[string, string, object]>([
    ['single quotes', "a,b\n1,'x,y'\n2,'z'\n", { quote: "'" }],
    ['apostrophes that are none', "a,b\n1,it's\n2,'tis\n", {}],
    ['no quotes', 'a\tb\n1\t"x\n2\ty"z\n', { delimiter: '\t', quote: '' }],
    ['a stray quote among quoted fields', 'a,b\n"1","x"\n"2","y"z"\n"3","w"\n', {}],
    ['decimal commas', 'a;b\nx;1,5\ny;2,5\n', { delimiter: ';' }],
    ['no header', '1,2024-01-01,x\n2,2024-01-02,y\n', { header: false }],
    ['years as names', 'country,2010,2011\nx,1,2\ny,3,4\n', {}],
    ['one column', 'name\nx\ny\n', {}],
  ])('%s', (_, text, settings) => {
    expect(csv(text).settings).toEqual(settings)
  })

  test('fields without a name, or with a shared one, are told by place', () => {
    expect(paths(csv(',id,b\n0,1,x\n1,2,y\n'))).toEqual(['#1', 'id', 'b'])
    expect(paths(csv('a,b,a\n1,2,3\n'))).toEqual(['#1', 'b', '#3'])
    expect(paths(csv('a,b,,\n1,2,,\n'))).toEqual(['a', 'b'])
  })

  test.each([
    ['# one\n# two\nid,name\n1,a\n2,b\n', /begins at line 3 .*above it: "# one"/],
    ['a,b\n1,2,3\n2,3,4\n', /2 names, but 2 lines below it have 3 fields/],
  ])('says what is wrong with %j', (text, reason) => {
    expect((outlineCsv([{ text, cut: false }]) as OutlineFault).reason).toMatch(reason)
  })

  test('a last line that was cut off is left out, and empty is told from nothing', () => {
    const outline = csv('a,b\n1,""\n2,\n3,"x', true)
    expect(outline).toMatchObject({ records: 2, documents: ['a,b\n1,""\n2,\n'] })
    expect(cells(outline.fields[1])).toEqual({ 0: '' })
  })
})

describe('values of JSON', () => {
  test('a document cut anywhere is closed to one that has its beginning', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ depthSize: 'medium' }).filter((value) => typeof value === 'object' && value !== null),
        fc.nat(),
        (value, at) => {
          const text = JSON.stringify(value)
          const part = text.slice(0, 1 + (at % text.length))
          const root = readJsonValue(part, 0, true)
          if (isFault(root)) throw new Error(root.reason)
          const closed = JSON.parse(closedText(part, root, undefined)) as unknown
          expect(isBeginning(closed, JSON.parse(text))).toBe(true)
        },
      ),
      { numRuns: 2_000, seed: 14 },
    )
  })

  test('reads what the platform reads, and refuses what it refuses', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc
            .json()
            .chain((text) =>
              fc.nat({ max: text.length }).map((at) => `${text.slice(0, at)}${text.slice(at + 1)}`),
            ),
        ),
        (text) => {
          const root = readJsonValue(text, 0, false)
          let isJson = true
          try {
            JSON.parse(text)
          } catch {
            isJson = false
          }
          expect(!isFault(root) && text.slice(root.end).trim() === '').toBe(isJson)
        },
      ),
      { numRuns: 3_000, seed: 14 },
    )
  })
})

describe('records of JSON', () => {
  test('numbers keep their digits, records are where most of the text is, paths lead back', () => {
    const outline = found(
      outlineJson(
        [
          {
            text: '{"meta":{"v":1},"data":{"a.b":[{"n":12345678901234567890,"x":{"y/z":1.10,"":2}},null]}}',
            cut: false,
          },
        ],
        undefined,
      ),
    )
    expect(outline).toMatchObject({ record: '$.data["a.b"][*]', records: 1 })
    expect(outline.fields.map((field) => [field.path, field.values])).toEqual([
      ['n', ['12345678901234567890']],
      ['x["y/z"]', ['1.10']],
      ['x[""]', ['2']],
    ])
    expect(outline.notes.join()).toMatch(/1 items? .*null/)
  })

  test('arrays of texts and of objects, mixtures, and objects whose keys are data', () => {
    const names = Array.from({ length: 30 }, (_, i) => `k${i}`)
    const records = names.map((name) => ({
      tags: ['a', null],
      items: [{ q: 1 }, { q: 2, r: 'x' }],
      mixed: name === 'k0' ? 1 : [1],
      of: { [name]: 1 },
    }))
    const outline = found(outlineJson([{ text: JSON.stringify(records), cut: false }], undefined))
    expect(
      outline.fields.map((field) => [
        field.path,
        field.writing,
        field.lists?.lengths[0],
        field.fields?.map((member) => member.path),
      ]),
    ).toEqual([
      ['tags', 'string', 2, undefined],
      ['items', 'json', 2, ['q', 'r']],
      ['mixed', 'json', undefined, undefined],
      ['of', 'json', undefined, undefined],
    ])
  })
})

describe('samples of JSON', () => {
  test.each([
    ['[1,2]', /a number/],
    ['[[1]]', /arrays/],
    ['5', /a number/],
    ['[]', /no item/],
    ['{"a":', /ends within a value/],
  ])('says what is wrong with %s', (text, reason) => {
    expect((outlineJson([{ text, cut: false }], undefined) as OutlineFault).reason).toMatch(reason)
  })

  test('lines: broken ones are counted, a cut one is left out', () => {
    const outline = found(outlineJsonLines([{ text: '{"a":1}\nx\n[2]\n{"a":2}\n{"a":', cut: true }]))
    expect(outline).toMatchObject({ record: '', records: 2, documents: ['{"a":1}\nx\n[2]\n{"a":2}\n'] })
    expect(outline.notes.join()).toMatch(/2 of 5 lines are not records.*line 2/)
  })
})

function isBeginning(part: unknown, whole: unknown): boolean {
  if (Array.isArray(part)) return Array.isArray(whole) && part.every((item, i) => isBeginning(item, whole[i]))
  if (typeof part === 'object' && part !== null)
    return Object.entries(part).every(([key, item]) =>
      isBeginning(item, (whole as Record<string, unknown>)[key]),
    )
  return Object.is(part, whole)
}

describe('XML', () => {
  const xml = (text: string): Outline => found(outlineXml([{ text, cut: false }], undefined))
  test('names that differ by namespace only get one, others stay plain', () => {
    const outline = xml(
      '<f xmlns="urn:a" xmlns:d="urn:d"><e><t>1</t><d:t>2</d:t><l h="x" /></e><e><t>3</t><l h="y>"/></e></f>',
    )
    expect(outline).toMatchObject({
      record: '/f/e',
      records: 2,
      settings: { namespaces: { ns1: 'urn:a', d: 'urn:d' } },
    })
    expect(outline.fields.map((field) => [field.path, field.values])).toEqual([
      ['ns1:t', ['1', '3']],
      ['d:t', ['2']],
      ['l/@h', ['x', 'y>']],
    ])
  })

  test('references, CDATA, comments, DOCTYPE, texts that repeat, text with attributes', () => {
    const outline = xml(
      '<?xml version="1.0"?><!DOCTYPE r SYSTEM "x"><r><a n="1&amp;2">x &lt;&#65;<![CDATA[<b>]]><!-- no --></a><s>p</s><s>q</s></r>',
    )
    expect(outline.record).toBe('/r')
    expect(outline.fields.map((field) => [field.path, field.values, field.lists?.lengths])).toEqual([
      ['a', ['x <A<b>'], undefined],
      ['a/@n', ['1&2'], undefined],
      ['s', ['p', 'q'], [2]],
    ])
  })

  test('a cut document ends with its last whole record', () => {
    expect(
      found(outlineXml([{ text: '<r><e><a>1</a></e><e><a>2</a></e><e><a>3', cut: true }], undefined)),
    ).toMatchObject({ records: 2, documents: ['<r><e><a>1</a></e><e><a>2</a></e></r>'] })
  })
})

test.each<[string, Buffer, object]>([
  [
    'UTF-16 with a mark',
    Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('a,ü', 'utf16le')]),
    { text: 'a,ü', encoding: '' },
  ],
  ['UTF-16 without', Buffer.from('name,b', 'utf16le'), { text: 'name,b', encoding: 'utf-16le' }],
  ['a mark of UTF-8', Buffer.from('\uFEFFa'), { text: 'a', encoding: '' }],
  ['windows-1252', Buffer.from('Müller €', 'latin1'), { encoding: 'windows-1252' }],
  [
    'UTF-8 that is damaged',
    Buffer.concat([Buffer.from('äöü, éè'), Buffer.from([0xff])]),
    { encoding: '', broken: 1 },
  ],
  [
    'a declared encoding',
    Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><a>ü</a>', 'latin1'),
    { encoding: '' },
  ],
  [
    'XLSX',
    Buffer.from('PK\u0003\u0004xxxx[Content_Types].xml xl/book.xml'),
    { reason: 'it is XLSX (an Excel file)' },
  ],
  ['Parquet', Buffer.from('PAR1\u0015'), { reason: 'it is Parquet' }],
  ['nothing', Buffer.alloc(0), { reason: 'it is empty' }],
])('%s is told by its bytes', (_, bytes, wanted) => {
  expect(textOfSample(bytes, false)).toMatchObject(wanted)
})

test('a character that was cut in two is left out', () => {
  const bytes = Buffer.from('ab€')
  expect(textOfSample(bytes.subarray(0, 4), true)).toMatchObject({ text: 'ab', encoding: '' })
})
