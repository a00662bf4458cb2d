/**
 * The straightforward way: saxes, an object a record, a Set of keys, DuckDB's row appender. One process, our
 * Kafka reader, Parquet, fsync and a manifest, as its hard-coded sibling has them.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance, DuckDBTimestampTZValue } from '@duckdb/node-api'
import { SaxesParser } from 'saxes'
import { createKafkaClient } from '../../../src/connectors/kafka/client.ts'
import { createKafkaReader } from '../../../src/connectors/kafka/source.ts'
import { createMessages } from '../../../src/core/messages.ts'
import { createSlab } from '../../../src/core/slab.ts'

const [, , brokers, topic, out] = process.argv
const ROWS_PER_FILE = 245_760
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const client = createKafkaClient({
  kind: 'kafka',
  brokers: [brokers],
  topic,
  start: 'earliest',
  tls: undefined,
  sasl: undefined,
})
const info = await client.topic(topic)
const ends = await client.offsetsAt(topic, info, -1)
const reader = createKafkaReader({
  client,
  topic,
  topicId: info.topicId,
  positions: [...ends].map(([partition]) => ({ partition, next: 0 })),
  onTrouble: () => undefined,
})
const connection = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect()
await connection.run(
  'CREATE TABLE rows (record_id VARCHAR, title VARCHAR, author_name VARCHAR, author_country VARCHAR, publication_year INTEGER, message_id VARCHAR, kafka_partition INTEGER, kafka_offset BIGINT, ordinal INTEGER, message_time TIMESTAMPTZ)',
)
const messages = createMessages(createSlab(4 << 20), 8192)
const seen = [...ends].map(() => new Set<string>())
const totals = { accepted: 0, duplicates: 0, rejected: 0, messages: 0 }
const files: string[] = []
let appender = await connection.createAppender('rows')
let staged = 0
mkdirSync(out, { recursive: true })

type Book = Record<string, string>

/** The books of a document; throws when it is not well-formed. */
function parse(xml: string): Book[] {
  const books: Book[] = []
  const parser = new SaxesParser()
  let [text, book] = ['', {} as Book]
  parser.on('error', (error) => {
    throw error
  })
  parser.on('opentag', (tag) => {
    text = ''
    if (tag.name === 'book') books.push((book = {}))
  })
  parser.on('text', (part) => (text += part))
  parser.on('closetag', (tag) => {
    book[tag.name] = text.trim()
    text = ''
  })
  parser.write(xml).close()
  return books
}

function append(book: Book, m: number, ordinal: number): void {
  const year = Number(book.publication_year)
  if (
    !UUID.test(book.record_id ?? '') ||
    !book.title ||
    !book.name ||
    !/^\d+$/.test(book.publication_year ?? '') ||
    year < 2000 ||
    year > 2023
  ) {
    totals.rejected += 1
    return
  }
  appender.appendVarchar(book.record_id)
  appender.appendVarchar(book.title)
  appender.appendVarchar(book.name)
  appender.appendVarchar(book.country ?? '')
  appender.appendInteger(year)
  appender.appendVarchar(
    messages.slab.bytes.toString('utf8', messages.keyStart[m], messages.keyStart[m] + messages.keyLength[m]),
  )
  appender.appendInteger(messages.partition[m])
  appender.appendBigInt(BigInt(messages.offset[m]))
  appender.appendInteger(ordinal)
  appender.appendTimestampTZ(new DuckDBTimestampTZValue(BigInt(messages.time[m]) * 1000n))
  appender.endRow()
  totals.accepted += 1
  staged += 1
}

async function seal(): Promise<void> {
  appender.closeSync()
  const path = join(out, `${files.length}.parquet`)
  await connection.run(`COPY rows TO '${path}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)`)
  const file = openSync(path, 'r+')
  fsyncSync(file)
  closeSync(file)
  files.push(path)
  await connection.run('TRUNCATE rows')
  appender = await connection.createAppender('rows')
  staged = 0
}

for (;;) {
  const result = await reader.read(messages, 250)
  for (let m = 0; m < messages.count; m += 1) {
    totals.messages += 1
    const { bytes } = messages.slab
    const key = bytes.toString('latin1', messages.keyStart[m], messages.keyStart[m] + messages.keyLength[m])
    const keys = seen[messages.partition[m]]
    if (keys.has(key)) {
      totals.duplicates += 1
      continue
    }
    keys.add(key)
    try {
      parse(
        bytes.toString('utf8', messages.valueStart[m], messages.valueStart[m] + messages.valueLength[m]),
      ).forEach((book, i) => append(book, m, i))
    } catch {
      totals.rejected += 1
    }
  }
  if (staged >= ROWS_PER_FILE) await seal()
  if (result.positions.every((position) => position.next >= (ends.get(position.partition) ?? 0))) break
}
await seal()
writeFileSync(join(out, 'manifest.json'), JSON.stringify({ files, totals }))
process.stdout.write(`${JSON.stringify(totals)}\n`)
process.exit(0)
