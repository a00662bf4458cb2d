/**
 * The rival to reach: what an engineer writes by hand for this one topic. One fixed text around the values,
 * no configuration, no declaration, one process: fetch, compare, check the typed fields, drop repeated keys,
 * fill the same columns, Parquet, fsync, and a manifest with the offsets. It shares our Kafka reader and our
 * way into DuckDB.
 */
import { mkdirSync, openSync, fsyncSync, closeSync, writeFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { createKafkaClient } from '../../../src/connectors/kafka/client.ts'
import { createKafkaReader } from '../../../src/connectors/kafka/source.ts'
import { createMessages } from '../../../src/core/messages.ts'
import { createColumn, ensureRows, setWords } from '../../../src/core/rows.ts'
import { appendText, createSlab } from '../../../src/core/slab.ts'
import { plainEnd, readWide } from '../../../src/formats/xml/chars.ts'
import { openStageEngine } from '../../../src/engines/duckdb/stage.ts'
import { uuidKind } from '../../../src/quality/values.ts'
import { createDedupWindow, hashBytes, hashHigh, hashLow } from '../../../src/planning/dedup-window.ts'

const [, , brokers, topic, out] = process.argv
const ROWS_PER_FILE = 245_760
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
const engine = await openStageEngine({ memoryBytes: 256 << 20, threads: 1, spillFolder: join(out, 'spill') })
const text = (name: string) => ({ name, kind: 'text' as const, type: 'string' as const })
const COLUMNS = [
  text('record_id'),
  text('title'),
  text('author_name'),
  text('author_country'),
  { name: 'publication_year', kind: 'int32' as const, type: 'integer' as const },
  text('message_key'),
  { name: 'kafka_partition', kind: 'int32' as const, type: 'integer' as const },
  { name: 'kafka_offset', kind: 'int64' as const, type: 'long' as const },
  { name: 'ordinal', kind: 'int32' as const, type: 'integer' as const },
  { name: 'message_time', kind: 'int64' as const, type: 'timestamp' as const },
]
const CONSTANTS = [
  { name: 'topic', type: 'string' as const, value: topic },
  { name: 'message_id', type: 'string' as const, sameAs: 'message_key' },
  { name: 'ingest_time', type: 'timestamp' as const, value: new Date().toISOString() },
]
const ORDER = [...COLUMNS, ...CONSTANTS].map((column) => column.name)
const stage = await engine.createStage(COLUMNS)
const columns = COLUMNS.map((column) => createColumn(column.kind))
const [id, title, name, country, year, key, partitionColumn, offset, ordinal, time] = columns
const messages = createMessages(createSlab(4 << 20), 8192)
const windows = new Map([...ends].map(([partition]) => [partition, createDedupWindow(1_000_000)]))
/** The one document there is, cut at its values: everything between them must be these bytes. */
const HEAD = segment('<?xml version="1.0" encoding="UTF-8"?>\n<library>\n')
const BOOK = segment('  <book>\n    <record_id>')
const BEHIND = [
  '</record_id>\n    <title>',
  '</title>\n    <author>\n      <name>',
  '</name>\n      <country>',
  '</country>\n    </author>\n    <publication_year>',
  '</publication_year>\n  </book>\n',
].map(segment)
const TAIL = segment('</library>\n')
let selection = new Int32Array(0)
const totals = { accepted: 0, duplicates: 0, rejected: 0, messages: 0 }
let files: string[] = []
let writing: Promise<unknown> = Promise.resolve()
let lastCommit = Date.now()
let positions = new Map<number, number>()
mkdirSync(join(out, 'data'), { recursive: true })

function span(column: (typeof columns)[number], row: number, start: number, length: number): void {
  column.valid[row] = 1
  column.spans[row * 2] = start
  column.spans[row * 2 + 1] = length
}

interface Segment {
  length: number
  words: Int32Array
}

function segment(text: string): Segment {
  const bytes = Buffer.from(text)
  return {
    length: bytes.length,
    words: Int32Array.from({ length: Math.ceil(bytes.length / 4) }, (_, i) =>
      bytes.readInt32LE(Math.min(i * 4, bytes.length - 4)),
    ),
  }
}

function stands(view: DataView, p: number, s: Segment): boolean {
  const last = s.words.length - 1
  for (let i = 0; i < last; i += 1) if (view.getInt32(p + i * 4, true) !== s.words[i]) return false
  return view.getInt32(p + s.length - 4, true) === s.words[last]
}

const starts = [0, 0, 0, 0, 0]
const lengths = [0, 0, 0, 0, 0]

/** The end of a value that starts at `p`, or -1. A value with a reference is decoded behind the slab. */
function value(b: Buffer, p: number, field: number): number {
  let q = p
  let references = false
  for (;;) {
    q = plainEnd(messages.slab.view, b, q)
    if (b[q] === 0x3c) break
    if (b[q] === 0x26) references = true
    else if (b[q] < 0x80 || readWide(b, q) < 0) return -1
    q += b[q] < 0x80 ? 1 : readWide(b, q) & 7
  }
  starts[field] = p
  lengths[field] = q - p
  if (references) {
    starts[field] = appendText(
      messages.slab,
      b.toString('utf8', p, q).replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&'),
    )
    lengths[field] = messages.slab.end - starts[field]
  }
  return q
}

/** Rows of message `m`, or -1 when it is not as expected; the first of them is row `row`. */
function scan(b: Buffer, m: number, row: number): number {
  const { view } = messages.slab
  const start = messages.valueStart[m]
  const end = start + messages.valueLength[m]
  if (!stands(view, start, HEAD)) return -1
  let rows = 0
  let rejected = 0
  let p = start + HEAD.length
  while (stands(view, p, BOOK)) {
    p += BOOK.length
    for (let field = 0; field < 5; field += 1) {
      p = value(b, p, field)
      if (p < 0 || p >= end || !stands(view, p, BEHIND[field])) return -1
      p += BEHIND[field].length
    }
    const r = row + rows
    const y =
      (b[starts[4]] - 48) * 1000 +
      (b[starts[4] + 1] - 48) * 100 +
      (b[starts[4] + 2] - 48) * 10 +
      b[starts[4] + 3] -
      48
    if (
      uuidKind(b, starts[0], lengths[0]) !== 1 ||
      lengths[4] !== 4 ||
      lengths[1] < 2 ||
      !(y >= 2000 && y <= 2023)
    )
      rejected += 1
    else {
      span(id, r, starts[0], 36)
      span(title, r, starts[1], lengths[1])
      span(name, r, starts[2], lengths[2])
      span(country, r, starts[3], lengths[3])
      year.valid[r] = 1
      year.int32[r] = y
      span(key, r, messages.keyStart[m], messages.keyLength[m])
      partitionColumn.valid[r] = offset.valid[r] = ordinal.valid[r] = time.valid[r] = 1
      partitionColumn.int32[r] = messages.partition[m]
      setWords(offset.words, r, messages.offset[m])
      ordinal.int32[r] = rows
      setWords(time.words, r, messages.time[m] * 1000)
      rows += 1
    }
  }
  if (!stands(view, p, TAIL) || p + TAIL.length !== end) return -1
  totals.rejected += rejected
  return rows
}

async function seal(): Promise<void> {
  await writing
  const sealed = await stage.rotate()
  if (sealed === undefined) return
  const path = join(out, 'data', `${totals.accepted}.parquet`)
  files.push(path)
  writing = sealed.write(path, CONSTANTS, ORDER, 'zstd').then(() => {
    const file = openSync(path, 'r+')
    fsyncSync(file)
    closeSync(file)
  })
}

async function commit(): Promise<void> {
  await seal()
  await writing
  writeFileSync(join(out, 'manifest.tmp'), JSON.stringify({ files, offsets: [...positions], totals }))
  const file = openSync(join(out, 'manifest.tmp'), 'r+')
  fsyncSync(file)
  closeSync(file)
  renameSync(join(out, 'manifest.tmp'), join(out, `manifest-${Date.now()}.json`))
  files = []
  lastCommit = Date.now()
}

for (;;) {
  const result = await reader.read(messages, 250)
  const b = messages.slab.bytes
  const most = messages.count * 5
  for (const column of columns) ensureRows(column, most)
  if (selection.length < most) selection = Int32Array.from({ length: most * 2 }, (_, i) => i)
  let rows = 0
  for (let m = 0; m < messages.count; m += 1) {
    totals.messages += 1
    hashBytes(b, messages.keyStart[m], messages.keyLength[m])
    if (windows.get(messages.partition[m])?.see(hashHigh, hashLow, 0) !== 'new') {
      totals.duplicates += 1
      continue
    }
    const found = scan(b, m, rows)
    if (found < 0) totals.rejected += 1
    else rows += found
  }
  totals.accepted += rows
  stage.append({ text: { bytes: b, end: messages.slab.end }, selection, count: rows, columns })
  positions = new Map(result.positions.map((position) => [position.partition, position.next]))
  if (stage.rows >= ROWS_PER_FILE) await seal()
  if (Date.now() - lastCommit > 2_000) await commit()
  if (result.positions.every((position) => position.next >= (ends.get(position.partition) ?? 0))) break
}
await commit()
process.stdout.write(`${JSON.stringify(totals)}\n`)
process.exit(0)
