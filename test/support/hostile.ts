/** Messages that try a decoder: right ones, and each kind of trouble, made from a seed. */
import type { OutgoingMessage } from '../../src/core/message-sink.ts'
import { createChance } from './chance.ts'

/**
 * Every type, every kind of format, arrays of texts and of objects, a namespace, attributes, an element
 * outside of the record.
 */
export const XML_DECLARATION = (brokers: string, topic: string, drift: string): string => `
dataset: books
source:
  kafka: { brokers: ["${brokers}"], topic: ${topic} }
record: { format: xml, path: /library/book, namespaces: { x: "urn:x" }, ignore: [ignored] }
columns:
  - { name: record_id, type: uuid, required: true }
  - { name: title, required: true, max_length: 40, collapse: true }
  - { name: kind, path: "@kind", values: [novel, essay], case: lower }
  - { name: isbn, pattern: "[0-9-]{5,17}", nulls: ["", "none"] }
  - { name: pages, type: integer }
  - { name: words, type: long }
  - { name: weight, type: double }
  - { name: price, type: decimal, precision: 20, scale: 2 }
  - { name: in_print, type: boolean }
  - { name: published, type: date, format: dd.MM.yyyy }
  - { name: seen_at, type: timestamp }
  - { name: local_at, type: timestamp, format: "yyyy-MM-dd HH:mm:ss", timezone: Europe/Berlin }
  - { name: source, path: /library/@source }
  - { name: extra, path: "x:extra" }
  - { name: tags, path: tags/tag, array: true }
  - { name: authors, path: authors/author, array: true, fields: [{ name: name }, { name: born, type: integer }, { name: fee, type: decimal, precision: 10, scale: 2 }] }
rules:
  - expect_column_values_to_be_between: { column: pages, min_value: 1, max_value: 5000 }
  - expect_column_value_lengths_to_be_between: { column: title, min_value: 2, severity: warn }
drift: ${drift}
processed:
  key: [record_id]
  partition_by: [{ column: seen_at, transform: month, timezone: America/New_York }]
`

export const JSON_DECLARATION = (brokers: string, topic: string, drift: string): string =>
  XML_DECLARATION(brokers, topic, drift)
    .replace(
      'format: xml, path: /library/book, namespaces: { x: "urn:x" }, ignore: [ignored]',
      'format: json, path: "$.books[*]", ignore: [ignored]',
    )
    .replace('path: "@kind"', 'path: kind')
    .replace('  - { name: source, path: /library/@source }\n', '')
    .replace('path: "x:extra"', 'path: extra')
    .replace('tags/tag', 'tags')
    .replace('authors/author', 'authors')

type Random = () => number

/** A field's text: mostly right, at times one of the wrong or odd ones. */
function pick(random: Random, right: () => string, odd: string[]): string {
  return random() < 0.9 ? right() : odd[Math.floor(random() * odd.length)]
}

const digits = (random: Random, n: number): string =>
  Array.from({ length: n }, () => Math.floor(random() * 10)).join('')
const two = (random: Random, most: number): string => String(1 + Math.floor(random() * most)).padStart(2, '0')

/** Texts that are wrong, or right and odd. */
const ODD = {
  title: ['', 'x', 'ä𝄞 \u00a0 b', 'a'.repeat(41), '  two   blanks  ', '\\N', 'tab\there'],
  kind: ['NOVEL', 'poem', ''],
  isbn: ['none', 'abc', ''],
  pages: ['0', '-3', '2147483647', '2147483648', '1e3', '007', ''],
  words: ['9223372036854775807', '9223372036854775808', '-9223372036854775808', '9007199254740993'],
  weight: ['1e-300', '-0.0', 'NaN', 'Infinity', '.5', '0.1'],
  price: ['123456789012345678.99', '1234567890123456789.99', '1.999', '-0.01', '+5'],
  inPrint: ['false', 'TRUE', 'yes', '1', ''],
  published: ['31.02.2020', '29.02.2024', '01.01.0001', '2020-01-01'],
  seenAt: [
    '2026-01-01T00:00:00+05:30',
    '2026-02-30T00:00:00Z',
    '2026-01-01T03:00:00',
    '1900-01-01T00:00:00Z',
  ],
  localAt: ['2026-03-29 02:30:00', '2026-10-25 02:30:00', '2026-03-29T02:30:00'],
}

function fields(random: Random, id: number): Record<string, string> {
  const uuid = `00000000-0000-4000-8000-${String(id).padStart(12, '0')}`
  const day = (): string => `2026-${two(random, 12)}-${two(random, 28)}`
  const decimal = (whole: number, places: number): string =>
    `${digits(random, whole)}.${digits(random, places)}`
  return {
    record_id: pick(random, () => uuid, [uuid.replace('4000', 'ABCD'), 'no-uuid', '', ` ${uuid} `]),
    title: pick(random, () => `Title ${id}`, ODD.title),
    kind: pick(random, () => 'novel', ODD.kind),
    isbn: pick(random, () => `${digits(random, 3)}-${digits(random, 5)}`, ODD.isbn),
    pages: pick(random, () => String(1 + Math.floor(random() * 900)), ODD.pages),
    words: pick(random, () => digits(random, 6), ODD.words),
    weight: pick(random, () => decimal(2, 3), ODD.weight),
    price: pick(random, () => decimal(3, 2), ODD.price),
    in_print: pick(random, () => 'true', ODD.inPrint),
    published: pick(
      random,
      () => `${two(random, 28)}.${two(random, 12)}.19${two(random, 98)}`,
      ODD.published,
    ),
    seen_at: pick(random, () => `${day()}T${two(random, 22)}:15:30.123456Z`, ODD.seenAt),
    local_at: pick(random, () => `${day()} 0${Math.floor(random() * 9)}:30:00`, ODD.localAt),
  }
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

function xmlBook(random: Random, id: number): string {
  const { kind, ...rest } = fields(random, id)
  const elements = Object.entries(rest)
    .filter(() => random() > 0.04)
    .map(([name, value]) => `<${name}>${escaped(value)}</${name}>`)
  const authors = Array.from(
    { length: Math.floor(random() * 3) },
    (_, i) =>
      `<author><name>N${i} &amp; co</name><born>${pick(random, () => '1950', ['x', ''])}</born><fee>${digits(random, 2)}.50</fee></author>`,
  )
  const tags = Array.from(
    { length: Math.floor(random() * 4) },
    (_, i) => `<tag>t${i}${random() < 0.2 ? '"\n\\' : ''}</tag>`,
  )
  const more = [
    ...(random() < 0.05 ? ['<isbn>2</isbn><isbn>3</isbn>'] : []),
    ...(random() < 0.04 ? ['<unknown><deep>1</deep></unknown>'] : []),
    ...(random() < 0.1 ? ['<ignored><a/></ignored>', '<!-- <book> -->', '<?pi x?>'] : []),
    `<q:extra xmlns:q="urn:x">${random() < 0.5 ? '<![CDATA[<raw> & ]]>' : '&#x41;&#66;&quot;'}</q:extra>`,
  ]
  return `<book kind="${escaped(kind)}">${elements.join('')}<authors>${authors.join('')}</authors><tags>${tags.join('')}</tags>${more.join('')}</book>`
}

function xmlMessage(random: Random, n: number): Buffer {
  const books = Array.from({ length: Math.floor(random() * 4) }, (_, i) => xmlBook(random, n * 10 + i)).join(
    '\n',
  )
  const good = `<?xml version="1.0" encoding="UTF-8"?>\n<library source="s${n}">${books}</library>`
  const broken = [
    () => good.slice(0, Math.floor(good.length * random())),
    () => good.replace('</library>', '</libary>'),
    () => good.replaceAll('library', 'catalogue'),
    () => good.replace('<library', '<!DOCTYPE library [<!ENTITY a "&a;&a;">]><library'),
    () => good.replace('source=', 'source="twice" source='),
    () => good.replace('</library>', '&nope;</library>'),
    () => '',
    () => 'not xml at all',
    () => `\ufeff${good}`,
    () => good.replace('</library>', '</library><library/>'),
    () => good.replace('<library', '<l:library xmlns:l="urn:other"').replace('</library>', '</l:library>'),
    () => good.replace('</library>', '\u0001</library>'),
  ]
  if (random() < 0.3) return Buffer.from(broken[Math.floor(random() * broken.length)]())
  if (random() < 0.06) return Buffer.from(`\ufeff${good.replace('UTF-8', 'UTF-16')}`, 'utf16le')
  if (random() < 0.06)
    return Buffer.from(good.replace('UTF-8', 'ISO-8859-1').replaceAll('Title', 'Tîtle'), 'latin1')
  if (random() < 0.04)
    return Buffer.concat([
      Buffer.from(good.slice(0, -12)),
      Buffer.from([0xff, 0xfe]),
      Buffer.from(good.slice(-12)),
    ])
  return Buffer.from(good)
}

function jsonMessage(random: Random, n: number): Buffer {
  const books = Array.from({ length: Math.floor(random() * 4) }, (_, i) => ({
    ...Object.fromEntries(
      Object.entries(fields(random, n * 10 + i))
        .filter(() => random() > 0.04)
        .map(([name, value]) => [
          name,
          /^(pages|words|weight)$/.test(name) &&
          Number.isFinite(Number(value)) &&
          value !== '' &&
          random() < 0.5
            ? Number(value)
            : value,
        ]),
    ),
    tags: random() < 0.1 ? 'one' : ['a\u0001b', 'c\nd', null],
    authors: [{ name: 'N', born: random() < 0.2 ? 'x' : 1950, fee: '1.50' }],
    ...(random() < 0.04 ? { unknown: { deep: 1 } } : {}),
    ignored: { any: [1] },
  }))
  const good = JSON.stringify({ books })
  const broken = [
    () => good.slice(0, -2),
    () => `${good}x`,
    () => '[]',
    () => good.replace(/"/, "'"),
    () => 'null',
    () => good.replace('{', '{"books":1,'),
  ]
  return Buffer.from(random() < 0.2 ? broken[Math.floor(random() * broken.length)]() : good)
}

/** So many messages, some of them sent twice, some with the identity of another. */
export function hostileMessages(format: 'xml' | 'json', count: number, seed: number): OutgoingMessage[] {
  const random = createChance(seed)
  const messages: OutgoingMessage[] = []
  for (let n = 0; n < count; n += 1) {
    const message = {
      key: `m${n}${random() < 0.05 ? 'ä' : ''}`,
      value: format === 'xml' ? xmlMessage(random, n) : jsonMessage(random, n),
      timeMs: Date.now() - 60_000 + n,
    }
    messages.push(message)
    if (random() < 0.05) messages.push({ ...message, timeMs: message.timeMs + 1 })
    if (random() < 0.03)
      messages.push({ ...message, value: Buffer.from(`<library>${'x'.repeat(n)}</library>`) })
  }
  return messages
}
