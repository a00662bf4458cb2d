/**
 * The scanner against saxes: documents made by a grammar, whole and broken; both must agree on validity and
 * values.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { XmlScanner } from '../../src/formats/xml/scanner.ts'
import { saxesFault, saxesRows, scan, scanInWindows, scannerFor } from '../support/xml.ts'

const NAMES = ['a', 'bb', 'long-name', 'x.y', 'é', 'p:q', 'other']
const FIELDS = ['a', 'bb', 'long-name', 'x.y', 'é']
const RUNS = Number(process.env.HEADRACE_TEST_PROPERTY_RUNS ?? 3000)

const text = fc
  .array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom(
          'plain',
          ' ',
          '\n',
          'é ü',
          '漢字',
          '😀',
          '1',
          'A',
          ']',
          ']]',
          '>',
          '"',
          "'",
          '\r\n',
          '\r',
          '\t',
        ),
      },
      {
        weight: 2,
        arbitrary: fc.constantFrom(
          '&amp;',
          '&lt;',
          '&#65;',
          '&#x1F600;',
          '&quot;',
          '&apos;',
          '&gt;',
          '&#13;',
        ),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          '<!-- c -->',
          '<![CDATA[ <x> & ]] ]]>',
          '<?pi data?>',
          '<!---->',
          '<![CDATA[]]>',
        ),
      },
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(''))

const attribute = fc.tuple(
  fc.constantFrom('id', 'b', 'xml:lang', 'xmlns:p', 'xmlns', 'p:z', 'é'),
  fc.constantFrom('', 'v', 'a&amp;b', 'x\ny', '&#10;', "it's", 'urn:x', 'urn:p'),
  fc.constantFrom('"', "'"),
)
const attributes = fc
  .array(attribute, { maxLength: 3 })
  .map((all) =>
    all.map(([name, value, quote]) => ` ${name}=${quote}${value.replaceAll(quote, '')}${quote}`).join(''),
  )

const leaf = fc
  .tuple(fc.constantFrom(...NAMES), attributes, text, fc.constantFrom('', ' ', '\n'))
  .map(([name, attrs, inner, space]) =>
    inner === '' ? `<${name}${attrs}${space}/>` : `<${name}${attrs}${space}>${inner}</${name}${space}>`,
  )
const nested = fc
  .tuple(fc.constantFrom(...NAMES), fc.array(leaf, { maxLength: 2 }), text)
  .map(([name, inner, words]) => `<${name}>${words}${inner.join('')}</${name}>`)
const record = fc
  .tuple(attributes, fc.array(fc.oneof(leaf, nested), { maxLength: 5 }), fc.constantFrom('', '\n  ', 'stray'))
  .map(([attrs, children, space]) => `<r${attrs}>${children.join(space)}</r>`)
const document = fc
  .tuple(
    fc.constantFrom(
      '',
      '<?xml version="1.0"?>',
      '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n',
      '\ufeff',
      '<!-- first -->\n',
    ),
    fc.array(record, { maxLength: 4 }),
    fc.constantFrom('', '\n', '<!-- last -->', '<?end?>'),
  )
  .map(([head, records, tail]) => `${head}<root xmlns:p="urn:p">${records.join('\n')}</root>${tail}`)

/** A document with one small thing changed somewhere. */
const broken = fc
  .tuple(
    document,
    fc.nat(),
    fc.constantFrom('delete', 'insert', 'swap', 'cut'),
    fc.constantFrom(
      '<',
      '>',
      '&',
      '"',
      "'",
      '/',
      '=',
      ' ',
      ']]>',
      '--',
      '\u0001',
      '<a>',
      '</r>',
      'x',
      ':',
      '<!',
      '?>',
      '&nope;',
      '\ufffe',
      '&#0;',
    ),
  )
  .map(([whole, at, how, what]) => {
    const p = whole.length === 0 ? 0 : at % whole.length
    if (how === 'delete') return whole.slice(0, p) + whole.slice(p + 1)
    if (how === 'cut') return whole.slice(0, p)
    if (how === 'swap') return whole.slice(0, p) + what + whole.slice(p + 1)
    return whole.slice(0, p) + what + whole.slice(p)
  })

const scanner = scannerFor({ record: '/root/r', fields: FIELDS.map((path) => ({ path })) })

/**
 * Where saxes is known to be more lenient than the specification, and we are not: `p:-x` is no QName (its
 * local part is no NCName), `<?x??>` lacks white space.
 */
const SAXES_LENIENT = /[\w\u00e9-]:[-.\d\u00b7]|<\?[^\s?>]+\?\?/

function agree(made: string): void {
  // Half a surrogate pair cannot be written in UTF-8 at all.
  const xml = made.toWellFormed()
  if (SAXES_LENIENT.test(xml)) return
  const theirs = saxesFault(xml)
  const ours = scan(scanner, xml)
  // A root that the declaration does not know ends the scan there; what follows is not looked at.
  if (ours.fault?.startsWith('root element')) return
  if ((theirs === undefined) !== (ours.fault === undefined))
    expect.fail(`${JSON.stringify(xml)}\n saxes: ${theirs}\n ours: ${ours.fault}`)
  if (theirs === undefined && ours.fault === undefined) expect(ours.rows, xml).toEqual(saxesRows(xml, FIELDS))
}

test('agrees with saxes on documents made by the grammar', () => {
  fc.assert(fc.property(document, agree), { numRuns: RUNS })
})

test('agrees with saxes on documents with one thing broken', () => {
  fc.assert(fc.property(broken, agree), { numRuns: RUNS * 2 })
})

/** Documents of a few forms, so that records repeat; then perhaps one thing is changed. */
const value = fc.constantFrom(
  '1',
  'plain words',
  'é',
  '漢字',
  'a]b',
  'x&amp;y',
  '',
  ' ',
  '<!-- c -->z',
  '<![CDATA[q]]>',
)
const form = fc.record({
  bound: fc.constantFrom('', ' xmlns="urn:d"', ' xmlns:p="urn:p"', ' xmlns:p="urn:p" xmlns="urn:d"'),
  indent: fc.constantFrom('', '\n  ', '\n\t', '<!-- same -->'),
  fields: fc.subarray(['a', 'bb', 'long-name', 'x.y'], { minLength: 1 }),
  extra: fc.constantFrom(
    '',
    '<p:other>1</p:other>',
    '<other at="1"/>',
    '<other><a>deep</a></other>',
    '<a>twice</a>',
  ),
})
type Form = { bound: string; indent: string; fields: string[]; extra: string }
const rows = fc.array(fc.tuple(fc.array(value, { minLength: 4, maxLength: 4 }), fc.nat(9)), {
  minLength: 1,
  maxLength: 6,
})
const documentOf = (f: Form, all: [string[], number][], bound = f.bound): string => {
  const record = (values: string[], odd: number): string =>
    `<r>${f.fields
      .filter((_, i) => i !== odd)
      .map((name, i) => `${f.indent}<${name}>${values[i]}</${name}>`)
      .join('')}${f.extra}${f.indent}</r>`
  return `<root${bound}>${f.indent}${all.map(([values, odd]) => record(values, odd)).join(f.indent)}${f.indent}</root>`
}
const repeated = fc.tuple(form, rows).map(([f, all]) => documentOf(f, all))
const changed = fc
  .tuple(
    repeated,
    fc.nat(),
    fc.constantFrom('<', '>', '&', '/', ' ', ']]>', '\u0001', '<a>', '</r>', 'x', '\ud800'),
  )
  .map(([whole, at, what]) => whole.slice(0, at % whole.length) + what + whole.slice((at % whole.length) + 1))

test('agrees with saxes where records repeat the form of others', () => {
  fc.assert(fc.property(fc.oneof(repeated, changed), agree), { numRuns: RUNS * 2 })
})

test('a record of a known form is read as by a scanner that knows none', () => {
  const bound = form.map((drawn) => drawn.bound)
  const change = fc.option(fc.tuple(fc.nat(), fc.constantFrom('<', '>', '&', '/', ' ', 'x', '</r>')))
  fc.assert(
    fc.property(
      fc.record({
        f: form,
        first: rows,
        second: rows,
        otherBound: bound,
        changeAt: change,
        ignore: fc.constantFrom<string[]>([], ['*']),
      }),
      ({ f, first, second, otherBound, changeAt, ignore }) => {
        const [learned, fresh] = [0, 1].map(() =>
          scannerFor({ record: '/root/r', fields: FIELDS.map((path) => ({ path })), ignore }),
        )
        scan(learned, documentOf(f, first))
        let document = documentOf(f, second, otherBound)
        if (changeAt !== null)
          document =
            document.slice(0, changeAt[0] % document.length) +
            changeAt[1] +
            document.slice((changeAt[0] % document.length) + 1)
        const [ours, theirs] = [scan(learned, document), scan(fresh, document)]
        expect(ours.fault === undefined, `${document}\n${ours.fault} / ${theirs.fault}`).toBe(
          theirs.fault === undefined,
        )
        expect(ours.rows).toEqual(theirs.rows)
        if (theirs.fault !== undefined) return
        expect(issuesOf(learned)).toEqual(issuesOf(fresh))
        expect([...learned.records.extents.subarray(0, ours.rows.length * 2)]).toEqual([
          ...fresh.records.extents.subarray(0, ours.rows.length * 2),
        ])
      },
    ),
    { numRuns: RUNS },
  )
})

test('a document that is one record has no second root, whatever is known', () => {
  const rootScanner = scannerFor({ record: '/r', fields: [{ path: 'a' }] })
  for (let i = 0; i < 3; i += 1)
    expect(scan(rootScanner, `<r><a>${i}</a></r>`)).toMatchObject({ rows: [[String(i)]], fault: undefined })
  expect(scan(rootScanner, '<r><a>1</a></r><r><a>2</a></r>').fault).toContain('one root')
  expect(scan(rootScanner, '<r><a>1</a></r>').rows).toEqual([['1']])
})

/** Where an issue without text starts means nothing. */
function issuesOf(xmlScanner: XmlScanner): object[] {
  return xmlScanner.records.issues.map((issue) => ({ ...issue, start: issue.length === 0 ? 0 : issue.start }))
}

test('reads a document in windows of any size exactly as in one piece', () => {
  const windowed = scannerFor({ record: '/root/r', fields: FIELDS.map((path) => ({ path })) })
  fc.assert(
    fc.property(fc.oneof(document, broken), fc.integer({ min: 40, max: 400 }), (xml, size) => {
      const whole = scan(scanner, xml)
      const parts = scanInWindows(windowed, Buffer.from(xml), size)
      expect(parts.fault === undefined, `${xml}\n${whole.fault} / ${parts.fault}`).toBe(
        whole.fault === undefined,
      )
      if (whole.fault === undefined) expect(parts.rows).toEqual(whole.rows)
    }),
    { numRuns: RUNS },
  )
})
