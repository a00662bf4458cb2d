/** The scanner against saxes and txml: same documents, one thread, all values read out, equal counts. */
import { SaxesParser } from 'saxes'
import { parse } from 'txml/txml'
import { createSlab } from '../../src/core/slab.ts'
import { clearRecords } from '../../src/formats/records.ts'
import { createXmlScanner } from '../../src/formats/xml/scanner.ts'
import { compileShape } from '../../src/formats/xml/compile-shape.ts'
import { sampleMessage } from '../../src/sample/library.ts'
import { load, median, type BenchReport } from './measure.ts'
import type { BenchOptions } from './measure.ts'

const MESSAGES = 50_000
const FIELDS = ['record_id', 'title', 'author/name', 'author/country', 'publication_year']

const WIDE = /[\u0080-\u00ff]/

type Parser = (messages: Buffer[]) => { rows: number; bytes: number }

function ours(): Parser {
  const scanner = createXmlScanner(
    compileShape({
      record: '/library/book',
      fields: FIELDS.map((path) => ({ path })),
      ignore: [],
      namespaces: {},
    }),
    { depth: 128, attributes: 256, nameBytes: 1024, textBytes: 1 << 24 },
  )
  const slab = createSlab(4 << 20)
  return (messages) => {
    const sum = { rows: 0, bytes: 0 }
    for (let i = 0; i < messages.length;) {
      clearRecords(scanner.records)
      let end = 0
      const ends: number[] = []
      for (; i < messages.length && end + messages[i].length < 2 << 20; i += 1) {
        slab.bytes.set(messages[i], end)
        ends.push((end += messages[i].length))
      }
      slab.end = end + 1
      let start = 0
      for (const stop of ends) {
        scanner.scanMessage(slab, start, stop)
        start = stop
      }
      const { cells, rows, width } = scanner.records
      sum.rows += rows
      // Values as text, as the others give them: slices of one decoded string, decoded again only where they
      // are not ASCII.
      const text = slab.bytes.toString('latin1', 0, slab.end)
      for (let cell = 0; cell < rows * width * 2; cell += 2) {
        const value = text.substring(cells[cell], cells[cell] + cells[cell + 1])
        sum.bytes += WIDE.test(value)
          ? Buffer.byteLength(Buffer.from(value, 'latin1').toString('utf8'))
          : value.length
      }
    }
    return sum
  }
}

function saxes(): Parser {
  const names = new Set(FIELDS.map((path) => path.split('/').at(-1) as string))
  return (messages) => {
    const sum = { rows: 0, bytes: 0 }
    let text = ''
    for (const message of messages) {
      const parser = new SaxesParser({ xmlns: true })
      parser.on('opentag', () => (text = ''))
      parser.on('text', (part) => (text += part))
      parser.on('closetag', (tag) => {
        if (tag.local === 'book') sum.rows += 1
        else if (names.has(tag.local)) sum.bytes += Buffer.byteLength(text)
        text = ''
      })
      parser.write(message.toString('utf8')).close()
    }
    return sum
  }
}

interface TxmlNode {
  tagName: string
  children: (TxmlNode | string)[]
}

function txml(): Parser {
  return (messages) => {
    const sum = { rows: 0, bytes: 0 }
    const walk = (node: TxmlNode | string): void => {
      if (typeof node === 'string') {
        // txml leaves references as they are.
        sum.bytes += Buffer.byteLength(node.replaceAll('&amp;', '&'))
        return
      }
      if (node.tagName === 'book') sum.rows += 1
      node.children.forEach(walk)
    }
    for (const message of messages) (parse(message.toString('utf8')) as TxmlNode[]).forEach(walk)
    return sum
  }
}

export async function benchXml(options: BenchOptions): Promise<BenchReport> {
  const before = load()
  const none = { duplicates: 0, malformed: 0, late: 0, invalid: 0 }
  const messages = Array.from({ length: MESSAGES }, (_, i) => Buffer.from(sampleMessage(1, i, none).xml))
  const parsers: Record<string, Parser> = { ours: ours(), saxes: saxes(), txml: txml() }
  const times: Record<string, number[]> = { ours: [], saxes: [], txml: [] }
  const expected = parsers.ours(messages)
  for (let round = -1; round < options.pairs; round += 1) {
    for (const [name, parser] of Object.entries(parsers)) {
      const started = performance.now()
      const found = parser(messages)
      if (found.rows !== expected.rows || Math.abs(found.bytes - expected.bytes) > expected.bytes * 0.02)
        throw new Error(`${name} found ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`)
      if (round >= 0) times[name].push((performance.now() - started) / 1000)
    }
  }
  const against = (rival: string): number =>
    Number(median(times.ours.map((time, i) => times[rival][i] / time)).toFixed(2))
  const rate = (name: string): number => Math.round(MESSAGES / median(times[name]))
  return {
    bench: 'xml',
    ratios: { saxes: against('saxes'), txml: against('txml') },
    figures: {
      'messages/s ours': rate('ours'),
      'messages/s saxes': rate('saxes'),
      'messages/s txml': rate('txml'),
      records: expected.rows,
    },
    load: [before, load()],
  }
}
