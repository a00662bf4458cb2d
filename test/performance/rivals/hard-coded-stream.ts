/**
 * The rival to reach: what an engineer writes by hand for this one topic. Fixed order of elements, no configuration, no
 * declaration, one process: fetch, find positions by known tags, check the two typed fields, drop repeated keys, fill the
 * same columns, Parquet, fsync, and a manifest with the offsets. It shares our Kafka reader and our way into DuckDB.
 */
import { mkdirSync, openSync, fsyncSync, closeSync, writeFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { createKafkaClient } from '../../../src/connectors/kafka/client.ts'
import { createKafkaReader } from '../../../src/connectors/kafka/reader.ts'
import { createMessages } from '../../../src/core/messages.ts'
import { createColumn, ensureRows, setWords } from '../../../src/core/rows.ts'
import { createSlab } from '../../../src/core/slab.ts'
import { openStageEngine } from '../../../src/engines/duckdb/stage.ts'
import { createDedupWindow, hashBytes, hashHigh, hashLow } from '../../../src/planning/dedup-window.ts'

const [, , brokers, topic, out] = process.argv
const ROWS_PER_FILE = 245_760
const client = createKafkaClient({ kind: 'kafka', brokers: [brokers], topic, start: 'earliest', tls: undefined, sasl: undefined })
const info = await client.topic(topic)
const ends = await client.offsetsAt(topic, info, -1)
const reader = createKafkaReader({ client, topic, topicId: info.topicId, positions: [...ends].map(([partition]) => ({ partition, next: 0 })), onTrouble: () => undefined })
const engine = await openStageEngine({ memoryBytes: 256 << 20, threads: 1, spillFolder: join(out, 'spill') })
const text = (name: string) => ({ name, kind: 'text' as const, type: 'string' as const })
const COLUMNS = [text('record_id'), text('title'), text('author_name'), text('author_country'), { name: 'publication_year', kind: 'int32' as const, type: 'integer' as const }, text('message_id'), text('message_key'), { name: 'kafka_partition', kind: 'int32' as const, type: 'integer' as const }, { name: 'kafka_offset', kind: 'int64' as const, type: 'long' as const }, { name: 'ordinal', kind: 'int32' as const, type: 'integer' as const }, { name: 'message_time', kind: 'int64' as const, type: 'timestamp' as const }]
const CONSTANTS = [{ name: 'topic', type: 'string' as const, value: topic }, { name: 'ingest_time', type: 'timestamp' as const, value: new Date().toISOString() }]
const ORDER = [...COLUMNS, ...CONSTANTS].map((column) => column.name)
const stage = await engine.createStage(COLUMNS)
const columns = COLUMNS.map((column) => createColumn(column.kind))
const [id, title, name, country, year, messageId, key, partitionColumn, offset, ordinal, time] = columns
const messages = createMessages(createSlab(4 << 20), 8192)
const windows = new Map([...ends].map(([partition]) => [partition, createDedupWindow(1_000_000)]))
const TAGS = ['<record_id>', '<title>', '<name>', '<country>', '<publication_year>'].map((tag) => Buffer.from(tag))
const CLOSE = Buffer.from('</library>')
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

/** Rows of one message, or -1 when it is not as expected. */
function scan(b: Buffer, start: number, end: number, row: number, m: number): number {
  if (b.compare(CLOSE, 0, CLOSE.length, end - 11, end - 1) !== 0) return -1
  let rows = 0
  let at = b.indexOf(TAGS[0], start)
  while (at >= 0 && at < end) {
    const starts = [0, 0, 0, 0, 0]
    const lengths = [0, 0, 0, 0, 0]
    let p = at
    for (let field = 0; field < 5; field += 1) {
      const from = field === 0 ? p : b.indexOf(TAGS[field], p)
      if (from < 0 || from >= end) return -1
      starts[field] = from + TAGS[field].length
      const close = b.indexOf(0x3c, starts[field])
      lengths[field] = close - starts[field]
      p = close
    }
    const r = row + rows
    if (lengths[0] !== 36 || lengths[4] !== 4 || lengths[1] < 2) totals.rejected += 1
    else {
      const y = (b[starts[4]] - 48) * 1000 + (b[starts[4] + 1] - 48) * 100 + (b[starts[4] + 2] - 48) * 10 + b[starts[4] + 3] - 48
      if (!(y >= 2000 && y <= 2023)) totals.rejected += 1
      else {
        span(id, r, starts[0], 36)
        span(title, r, starts[1], lengths[1])
        span(name, r, starts[2], lengths[2])
        span(country, r, starts[3], lengths[3])
        year.valid[r] = 1
        year.int32[r] = y
        span(messageId, r, messages.keyStart[m], messages.keyLength[m])
        span(key, r, messages.keyStart[m], messages.keyLength[m])
        partitionColumn.valid[r] = offset.valid[r] = ordinal.valid[r] = time.valid[r] = 1
        partitionColumn.int32[r] = messages.partition[m]
        setWords(offset.words, r, messages.offset[m])
        ordinal.int32[r] = rows
        setWords(time.words, r, messages.time[m] * 1000)
        rows += 1
      }
    }
    at = b.indexOf(TAGS[0], p)
  }
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
    const found = scan(b, messages.valueStart[m], messages.valueStart[m] + messages.valueLength[m], rows, m)
    if (found < 0) totals.rejected += 1
    else rows += found
  }
  totals.accepted += rows
  stage.append({ bytes: b, end: messages.slab.end, selection, count: rows, columns })
  positions = new Map(result.positions.map((one) => [one.partition, one.next]))
  if (stage.rows >= ROWS_PER_FILE) await seal()
  if (Date.now() - lastCommit > 2_000) await commit()
  if (result.positions.every((one) => one.next >= (ends.get(one.partition) ?? 0))) break
}
await commit()
process.stdout.write(`${JSON.stringify(totals)}\n`)
process.exit(0)
