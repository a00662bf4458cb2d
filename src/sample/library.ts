/**
 * Sample messages: an XML <library> of one to five <book> each, made only from a seed and a number. So a
 * stopped producer continues exactly where it was, and an oracle can compute what must have arrived.
 */

export interface Shares {
  duplicates: number
  malformed: number
  late: number
  invalid: number
}

export type MessageKind = 'good' | 'duplicate' | 'malformed' | 'late' | 'invalid'

export interface SampleMessage {
  index: number
  kind: MessageKind
  /** The Kafka key: made once, kept by duplicates. */
  messageId: string
  /** How many hours the message's own time lies in the past. */
  lateHours: number
  xml: string
  /** IDs of the books that must be accepted, and the number of those that must be quarantined. */
  accepted: string[]
  quarantined: number
}

const FIRST = [
  'Ada',
  'Brigitte',
  'Chidi',
  'Dai',
  'Elif',
  'Farid',
  'Gisèle',
  'Hiroko',
  'Ivana',
  'João',
  'Kwame',
  'Léa',
  'Mihai',
  'Noor',
  'Olga',
  'Pedro',
]
const LAST = [
  'Abe',
  'Brown',
  'Costa',
  'Diallo',
  'Eriksson',
  'Fontaine',
  'García',
  'Haddad',
  'Ito',
  'Jensen',
  'Kovač',
  'Lindqvist',
  'Müller',
  'Novák',
  'Okafor',
  'Petrov',
]
const COUNTRY = [
  'Brazil',
  'Canada',
  'Côte d’Ivoire',
  'France',
  'Germany',
  'Ghana',
  'India',
  'Japan',
  'Kenya',
  'Mexico',
  'Poland',
  'Sweden',
  'UK',
  'USA',
]
const SUBJECT = [
  'Rivers',
  'Databases',
  'Weather',
  'Bridges',
  'Orchards',
  'Compilers',
  'Harbours',
  'Clocks',
  'Glaciers',
  'Markets',
  'Lighthouses',
  'Queues',
]
const STYLE = [
  'A Short History of',
  'The Quiet Life of',
  'Notes on',
  'Beyond',
  'Learning to Love',
  'An Atlas of',
  'Letters about',
  'The Economics of',
]

/** How far back a duplicate repeats: well inside the default window. */
const REPEAT_WITHIN = 900

/** Message number `index` of the sequence that `seed` and the shares define. */
export function sampleMessage(seed: number, index: number, shares: Shares): SampleMessage {
  const random = generator(seed, index)
  const kind = kindOf(random(), index, shares)
  if (kind === 'duplicate') {
    const original = originalBefore(seed, index, shares)
    if (original !== undefined) return { ...original, index, kind, accepted: [], quarantined: 0 }
  }
  const books = Array.from({ length: 1 + Math.floor(random() * 5) }, () => makeBook(random))
  const broken = kind === 'invalid' ? Math.floor(random() * books.length) : -1
  const xml = libraryXml(books.map((book, i) => (i === broken ? spoil(book, random) : book)))
  const isMalformed = kind === 'malformed'
  return {
    index,
    kind: kind === 'duplicate' ? 'good' : kind,
    messageId: uuid(generator(seed ^ 0x5bd1e995, index)),
    lateHours: kind === 'late' ? 1 + Math.floor(random() * 72) : 0,
    xml: isMalformed ? breakXml(xml, random) : xml,
    accepted: isMalformed ? [] : books.filter((_, i) => i !== broken).map((book) => book.id),
    quarantined: isMalformed || broken >= 0 ? 1 : 0,
  }
}

interface Book {
  id: string
  title: string
  author: string
  country: string
  year: string
}

function makeBook(random: () => number): Book {
  const pick = (words: string[]): string => words[Math.floor(random() * words.length)]
  const [first, second] = [pick(SUBJECT), pick(SUBJECT)]
  const title =
    random() < 0.02
      ? `${pick(STYLE)} ${first} & ${second}`
      : `${pick(STYLE)} ${first} and ${second}, volume ${1 + Math.floor(random() * 40)}`
  return {
    id: uuid(random),
    title,
    author: `${pick(FIRST)} ${pick(LAST)}`,
    country: pick(COUNTRY),
    year: String(2000 + Math.floor(random() * 24)),
  }
}

function libraryXml(books: Book[]): string {
  const lines = books.map(
    (book) => `  <book>
    <record_id>${book.id}</record_id>
    <title>${escape(book.title)}</title>
    <author>
      <name>${escape(book.author)}</name>
      <country>${escape(book.country)}</country>
    </author>
    <publication_year>${book.year}</publication_year>
  </book>
`,
  )
  return `<?xml version="1.0" encoding="UTF-8"?>\n<library>\n${lines.join('')}</library>\n`
}

/** Makes one value wrong: a year in words, out of range, or missing; an invalid ID; an empty title. */
function spoil(book: Book, random: () => number): Book {
  const ways: ((book: Book) => Book)[] = [
    (original) => ({ ...original, year: 'MMXX' }),
    (original) => ({ ...original, year: '1850' }),
    (original) => ({ ...original, year: '' }),
    (original) => ({ ...original, id: `not-a-uuid-${original.id.slice(0, 8)}` }),
    (original) => ({ ...original, title: ' ' }),
  ]
  return ways[Math.floor(random() * ways.length)](book)
}

function breakXml(xml: string, random: () => number): string {
  const ways = [
    (): string => xml.slice(0, Math.floor(xml.length * (0.3 + random() * 0.6))),
    (): string => xml.replace('</title>', '</titel>'),
    (): string => xml.replace('<author>', '<author name=unquoted>'),
    (): string => xml.replace('</library>', '</library><library/>'),
  ]
  return ways[Math.floor(random() * ways.length)]()
}

function kindOf(roll: number, index: number, shares: Shares): MessageKind {
  let edge = 0
  for (const kind of ['duplicates', 'malformed', 'late', 'invalid'] as const) {
    edge += shares[kind]
    if (roll >= edge) continue
    if (kind !== 'duplicates') return kind
    return index > 0 ? 'duplicate' : 'good'
  }
  return 'good'
}

/** The nearest message before `index` at a random distance that is not itself a repetition. */
function originalBefore(seed: number, index: number, shares: Shares): SampleMessage | undefined {
  const random = generator(seed ^ 0x27d4eb2f, index)
  const start = index - 1 - Math.floor(random() * Math.min(REPEAT_WITHIN, index))
  for (let at = start; at >= 0; at -= 1) {
    if (kindOf(generator(seed, at)(), at, shares) !== 'duplicate') return sampleMessage(seed, at, shares)
  }
  return undefined
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

/**
 * sfc32 (Chris Doty-Humphrey, PractRand) seeded by (seed, index): every message has its own stream of numbers
 * in [0, 1). 128 bits of state, because ids are drawn from it: with 32 bits two of a million books would
 * share one.
 */
function generator(seed: number, index: number): () => number {
  let [a, b, c, d] = [seed | 0, index | 0, (seed ^ 0x9e3779b9) | 0, 1]
  const next = (): number => {
    const t = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + t) | 0
    return (t >>> 0) / 4_294_967_296
  }
  for (let i = 0; i < 12; i += 1) next()
  return next
}

const HEX = Array.from({ length: 65_536 }, (_, i) => i.toString(16).padStart(4, '0'))

function uuid(random: () => number): string {
  const part = (): string => HEX[Math.floor(random() * 65_536)]
  const [version, variant] = [
    HEX[0x4000 | Math.floor(random() * 0x1000)],
    HEX[0x8000 | Math.floor(random() * 0x4000)],
  ]
  return `${part()}${part()}-${part()}-${version}-${variant}-${part()}${part()}${part()}`
}
