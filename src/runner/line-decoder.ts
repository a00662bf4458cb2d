/**
 * The decoder that runs inside an engine's tasks: messages come as lines, rows go as lines. It is the decoder, the checks and
 * the layout of the embedded stream, so that both engines give the same rows and the same reasons by construction.
 */
import { LIMITS } from '../core/limits.ts'
import { clearMessages, createMessages, ensureMessages, headersText, type Messages } from '../core/messages.ts'
import { emptyCounts } from '../core/results.ts'
import { appendText, createSlab, reserve } from '../core/slab.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import { REJECT_COLUMNS } from '../core/raw-columns.ts'
import type { Sighting } from '../planning/dedup-window.ts'
import { createBlockProcessor, type BlockResult } from './block.ts'
import { createRowPrinter, lineColumns } from './decoded-rows.ts'
import { createIdentifier, type MessageIdentifier } from './message-ids.ts'
import { stagedOrigin } from './row-columns.ts'

/** What a decoder is started with; no secret is in it. */
export interface LineDecoderSettings {
  dataset: Dataset
  columns: Column[]
  poison: { partition: number; offset: number }[]
  failpoint: string | undefined
}

/** What a decoder counted, on its last line. */
export interface DecodeReport {
  counts: ReturnType<typeof emptyCounts>
  newestMs: number
  discovered: string[]
}

export interface LineDecoder {
  /** Takes bytes of the input, cut anywhere. */
  take(bytes: Buffer): void
  /** The input has ended: prints what is left, and the report. */
  end(): void
}

const BLOCK_MESSAGES = 8192
const SEPARATOR = 1
const NEWLINE = 10

/** A message's line: Kafka partition, offset, time in ms, key and value in base64, headers (see headersText), verdict. */
const FIELDS = 7

export function createLineDecoder(settings: LineDecoderSettings, write: (bytes: Buffer) => void): LineDecoder {
  const { dataset, columns } = settings
  const messages = createMessages(createSlab(LIMITS.slabBytes * 2), BLOCK_MESSAGES)
  const verdicts = createVerdicts(messages)
  const identifier: MessageIdentifier = { ...createIdentifier(dataset, 0), see: (_, i) => verdicts.sighting[i] ?? 'new' }
  const processor = createBlockProcessor({ dataset, columns, identifier, poison: new Set(settings.poison.map((one) => `${one.partition}:${one.offset}`)) })
  const printer = createRowPrinter(lineColumns(dataset, columns), write)
  const origin = stagedOrigin(dataset).map((column) => column.name)
  const accepted = [...columns.map((column) => column.name), ...(dataset.raw.keepOriginal ? ['original'] : []), ...origin]
  const quarantined = [...origin, ...REJECT_COLUMNS.map((column) => column.name)]
  const report: DecodeReport = { counts: emptyCounts(), newestMs: 0, discovered: [] }
  const discovered = new Set<string>()

  const flushBlock = (): void => {
    if (messages.count === 0) return
    for (let i = 0; i < messages.count; i += 1) report.newestMs = Math.max(report.newestMs, messages.time[i])
    const block: BlockResult = processor.process(messages, report.counts, verdicts.known)
    for (const path of block.discovered) discovered.add(path)
    printer.print('accepted', block.accepted, accepted)
    printer.print('quarantined', block.quarantined, quarantined)
    clearMessages(messages)
    verdicts.clear()
  }
  const takeLine = (line: Buffer, start: number, end: number): void => {
    readMessage(messages, verdicts, line, start, end)
    if (messages.count >= BLOCK_MESSAGES || messages.slab.end >= LIMITS.slabBytes) flushBlock()
  }
  let rest: Buffer = Buffer.alloc(0)
  return {
    take(bytes) {
      let start = 0
      for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
        if (rest.length === 0) takeLine(bytes, start, end)
        else {
          const line = Buffer.concat([rest, bytes.subarray(start, end)])
          rest = Buffer.alloc(0)
          takeLine(line, 0, line.length)
        }
        start = end + 1
      }
      if (start < bytes.length) rest = rest.length === 0 ? Buffer.from(bytes.subarray(start)) : Buffer.concat([rest, bytes.subarray(start)])
    },
    end() {
      flushBlock()
      printer.report(JSON.stringify({ ...report, discovered: [...discovered] }))
      printer.flush()
    },
  }
}

interface Verdicts {
  sighting: Sighting[]
  known(partition: number, offset: number, ordinal: number): boolean
  add(index: number, text: string): void
  clear(): void
}

/** A verdict is `d` (duplicate), `c` (conflict) or `n`, then the ordinals that RAW has: `n0,1,2`. */
function createVerdicts(messages: Messages): Verdicts {
  const rows = new Map<string, Set<number>>()
  const sighting: Sighting[] = []
  return {
    sighting,
    known: (partition, offset, ordinal) => rows.size > 0 && rows.get(`${partition}:${offset}`)?.has(ordinal) === true,
    add(index, text) {
      sighting[index] = text[0] === 'd' ? 'duplicate' : text[0] === 'c' ? 'conflict' : 'new'
      if (text.length > 1) rows.set(`${messages.partition[index]}:${messages.offset[index]}`, new Set(text.slice(1).split(',').map(Number)))
    },
    clear() {
      sighting.length = 0
      rows.clear()
    },
  }
}

const bounds = new Int32Array(FIELDS + 1)

function readMessage(m: Messages, verdicts: Verdicts, b: Buffer, start: number, end: number): void {
  bounds[0] = start
  for (let i = 1; i < FIELDS; i += 1) bounds[i] = b.indexOf(SEPARATOR, bounds[i - 1]) + 1
  bounds[FIELDS] = end + 1
  const n = m.count
  ensureMessages(m, n + 1)
  m.partition[n] = Number(field(b, 0))
  m.offset[n] = Number(field(b, 1))
  m.time[n] = Number(field(b, 2))
  m.keyLength[n] = base64Field(m, b, 3)
  m.keyStart[n] = m.slab.end - Math.max(0, m.keyLength[n])
  m.valueLength[n] = base64Field(m, b, 4)
  m.valueStart[n] = m.slab.end - Math.max(0, m.valueLength[n])
  m.headersLength[n] = 0
  if (!isNull(b, 5)) {
    m.headersStart[n] = appendText(m.slab, headersText(b.toString('utf8', bounds[5], bounds[6] - 1)))
    m.headersLength[n] = m.slab.end - m.headersStart[n]
  }
  if (!isNull(b, 6)) verdicts.add(n, field(b, 6))
  m.count = n + 1
}

function field(b: Buffer, i: number): string {
  return b.toString('latin1', bounds[i], bounds[i + 1] - 1)
}

function isNull(b: Buffer, i: number): boolean {
  return bounds[i + 1] - 1 - bounds[i] === 2 && b[bounds[i]] === 0x5c
}

/** Decodes base64 into the slab; returns the length, -1 for null. */
function base64Field(m: Messages, b: Buffer, i: number): number {
  if (isNull(b, i)) return -1
  const { slab } = m
  const text = field(b, i)
  reserve(slab, (text.length * 3) / 4 + 4)
  const length = slab.bytes.write(text, slab.end, 'base64')
  slab.end += length
  return length
}
