/**
 * The JSON scanner against JSON.parse: same documents, one thread, equal counts, each value in UTF-8 in
 * one buffer, which is what an engine takes. There the scanner's values are already; the rival's are
 * written there.
 */
import { createSlab } from '../../src/core/slab.ts'
import { createJsonLineScanner } from '../../src/formats/json/lines.ts'
import { createJsonScanner } from '../../src/formats/json/scanner.ts'
import { clearRecords, type DocumentScanner } from '../../src/formats/records.ts'
import { load, median, type BenchReport } from './measure.ts'
import type { BenchOptions } from './measure.ts'

const RECORDS = 50_000
const BOOKS_A_MESSAGE = 4
const SLAB_BYTES = 2 << 20
const LIMITS = { depth: 128, keyBytes: 4096, findings: 1_000, lineBytes: 1 << 24 }

interface Shape {
  paths: string[]
  /** Records of one message are lines, or items of `books`. */
  isLines: boolean
  messages: Buffer[]
}

/** Made from a number, and different from record to record. */
const number = (i: number, k: number): number =>
  (Math.imul(i + 1, 2_654_435_761) ^ Math.imul(k + 7, 40_503)) >>> 0

function flat(i: number): Record<string, unknown> {
  const value = (k: number): unknown =>
    [number(i, k), (number(i, k) % 100_000) / 100, `value ${number(i, k)}`, number(i, k) % 2 === 0][k % 4]
  return Object.fromEntries(Array.from({ length: 24 }, (_, k) => [`field_name_${k}`, value(k)]))
}

const nested = (i: number): Record<string, unknown> => ({
  id: i,
  author: { name: `Author ${i}`, address: { city: 'Berlin', zip: String(number(i, 3) % 100_000) } },
  title: `The title of book ${i}`,
  tags: ['new', 'used', String(i)],
  price: 12.5 + (i % 100),
})

const escaped = (i: number): Record<string, unknown> => ({
  id: i,
  text: `A "quoted" text\nwith lines, äöüß ${i} and more of it`,
  name: `Żółć 日本 ${i}`,
  path: `C:\\folder\\${i}`,
})

function shapes(): Record<string, Shape> {
  const lines = (make: (i: number) => unknown): Buffer[] =>
    Array.from({ length: RECORDS / 50 }, (_, m) =>
      Buffer.from(Array.from({ length: 50 }, (_, i) => JSON.stringify(make(m * 50 + i))).join('\n')),
    )
  const books = Array.from({ length: RECORDS / BOOKS_A_MESSAGE }, (_, m) => ({
    source: 's',
    books: Array.from({ length: BOOKS_A_MESSAGE }, (_, i) => nested(m * BOOKS_A_MESSAGE + i)),
  }))
  return {
    flat: { paths: Object.keys(flat(0)), isLines: true, messages: lines(flat) },
    nested: {
      paths: ['id', 'author.name', 'author.address.city', 'author.address.zip', 'title', 'tags', 'price'],
      isLines: false,
      messages: books.map((message) => Buffer.from(JSON.stringify(message))),
    },
    escapes: { paths: ['id', 'text', 'name', 'path'], isLines: true, messages: lines(escaped) },
  }
}

interface Sum {
  rows: number
  bytes: number
}

function ours({ paths, isLines }: Shape): (messages: Buffer[]) => Sum {
  const spec = {
    record: '$.books[*]',
    fields: paths.map((path) => ({ path, array: path === 'tags' })),
    ignore: [],
  }
  const scanner = isLines ? createJsonLineScanner(spec, LIMITS) : createJsonScanner(spec, LIMITS)
  const slab = createSlab(SLAB_BYTES * 2)
  return (messages) => {
    const sum = { rows: 0, bytes: 0 }
    for (let i = 0; i < messages.length;) {
      clearRecords(scanner.records)
      let end = 0
      const ends: number[] = []
      for (; i < messages.length && end + messages[i].length < SLAB_BYTES; i += 1) {
        slab.bytes.set(messages[i], end)
        ends.push((end += messages[i].length))
      }
      slab.end = end + 1
      let start = 0
      for (const stop of ends) {
        scanner.scanMessage(slab, start, stop)
        start = stop
      }
      readOut(scanner, sum)
    }
    return sum
  }
}

function readOut({ records: { cells, rows, width } }: DocumentScanner, sum: Sum): void {
  sum.rows += rows
  for (let cell = 1; cell < rows * width * 2; cell += 2) sum.bytes += cells[cell]
}

function rival({ paths, isLines }: Shape): (messages: Buffer[]) => Sum {
  const steps = paths.map((path) => path.split('.'))
  const out = Buffer.alloc(SLAB_BYTES)
  let end = 0
  const add = (record: unknown, sum: Sum): void => {
    sum.rows += 1
    for (const way of steps) {
      let value = record
      for (const step of way) value = (value as Record<string, unknown>)[step]
      const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
      const length = out.write(text, end)
      end = end < SLAB_BYTES / 2 ? end + length : 0
      sum.bytes += length
    }
  }
  return (messages) => {
    const sum = { rows: 0, bytes: 0 }
    for (const message of messages) {
      const text = message.toString('utf8')
      if (isLines) for (const line of text.split('\n')) add(JSON.parse(line), sum)
      else for (const book of (JSON.parse(text) as { books: unknown[] }).books) add(book, sum)
    }
    return sum
  }
}

export async function benchJson(options: BenchOptions): Promise<BenchReport> {
  const before = load()
  const report: BenchReport = { bench: 'json', ratios: {}, figures: {}, load: [before, before] }
  for (const [name, shape] of Object.entries(shapes())) {
    const parsers = { ours: ours(shape), rival: rival(shape) }
    const times: Record<'ours' | 'rival', number[]> = { ours: [], rival: [] }
    const expected = parsers.rival(shape.messages)
    for (let round = -1; round < options.pairs; round += 1) {
      for (const which of ['ours', 'rival'] as const) {
        const started = performance.now()
        const found = parsers[which](shape.messages)
        if (found.rows !== expected.rows || found.bytes !== expected.bytes)
          throw new Error(`${which} found ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`)
        if (round >= 0) times[which].push((performance.now() - started) / 1000)
      }
    }
    report.ratios[`JSON.parse, ${name}`] = Number(
      median(times.ours.map((time, i) => times.rival[i] / time)).toFixed(2),
    )
    for (const which of ['ours', 'rival'] as const)
      report.figures[`records/s ${which}, ${name}`] = Math.round(RECORDS / median(times[which]))
  }
  report.load[1] = load()
  return report
}
