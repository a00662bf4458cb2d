/**
 * Turns one block of messages into rows: decoded, deduplicated, checked, and laid out as columns for the two
 * stages (accepted and quarantined). Every record ends as exactly one of accepted, duplicate or quarantined,
 * and is counted so.
 */
import type { StageRows } from '../core/engine.ts'
import { LIMITS } from '../core/limits.ts'
import { messagesBetween, type Messages } from '../core/messages.ts'
import { REJECT_COLUMNS } from '../core/raw-columns.ts'
import type { Counts } from '../core/results.ts'
import { createColumn, ensureRows } from '../core/rows.ts'
import { appendBytes, appendText, type Slab } from '../core/slab.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import type { DocumentScanner, Records, Surroundings } from '../formats/records.ts'
import { compileChecks } from '../quality/record-check.ts'
import type { TextBytes } from '../quality/text-bytes.ts'
import { createBlockDecoder, type BlockDecoder } from './block-decoder.ts'
import type { MessageFault } from './decoder.ts'
import type { MessageIdentifier } from './message-ids.ts'
import { layOutRejects, type KnownRow, type MessageReject } from './quarantine-rows.ts'
import { createOriginColumns, setSpan } from './row-columns.ts'
import {
  DUPLICATE,
  beginFates,
  createBlockRows,
  growMessages,
  markKnown,
  markRefused,
  markSeen,
  type BlockRows,
  type RefusedRecords,
} from './row-fates.ts'

export interface BlockResult {
  accepted: StageRows
  quarantined: StageRows
  /** Paths that drift wants to add as columns. If there are any, do not commit the block. */
  discovered: Set<string>
  /** The ordinal of each accepted row within its message, by row. */
  ordinals: Int32Array
  /** Messages of the block that did not fit. Process them after this result is written. */
  rest?: Messages
}

/** What is known of messages that were kept in RAW. A record that was kept alone is a message there. */
export interface KeptMessages {
  /** The ordinal of a message's first record, given the number of its records. */
  firstOrdinal(message: number, records: number): number
  /** The line of its record in the file. 0: unknown. */
  line(message: number): number
}

export interface BlockProcessor {
  process(messages: Messages, counts: Counts, known: KnownRow | undefined, kept?: KeptMessages): BlockResult
  /**
   * Processes records of one large message (the first of `messages`) that were decoded elsewhere, window by
   * window. Ordinals continue.
   */
  processRecords(
    messages: Messages,
    slab: Slab,
    scanner: Pick<DocumentScanner, 'records' | 'around'>,
    counts: Counts,
  ): BlockResult
  /** Rejects the first message as a whole. */
  reject(messages: Messages, fault: { rule: string; reason: string }, counts: Counts): BlockResult
}

export interface BlockOptions {
  dataset: Dataset
  columns: Column[]
  identifier: MessageIdentifier
  /** Messages to reject without decoding, by place. */
  poison: ReadonlyMap<string, MessageFault>
  refused?: RefusedRecords
}

interface Layout {
  messages: Messages
  records: Records
  /** Rejects that are known before the rows are checked. */
  rejects: MessageReject[]
  known?: KnownRow
  /** The ordinal of a message's first record. */
  firstOrdinal(message: number): number
  /** What surrounds a row's record, if another decoder read it. */
  around?: DocumentScanner['around']
  counts: Counts
}

export function createBlockProcessor(options: BlockOptions): BlockProcessor {
  const { identifier } = options
  const decoder = createBlockDecoder(options)
  const rows = createBlockRows()
  const layOut = createRowLayout(options, decoder, rows)
  /** The rest of a block, and where its input ends in the slab. */
  let pending: { messages: Messages; inputEnd: number } | undefined
  let largeOffset = -1
  let largeOrdinal = 0

  return {
    process(m, counts, known, kept) {
      if (m === pending?.messages) m.slab.end = pending.inputEnd
      identifier.identify(m)
      const [inputEnd, given] = [m.slab.end, m.count]
      const { records } = decoder
      const undecoded = decoder.decodeAll(m, rows, inputEnd + LIMITS.unpackedBlockBytes)
      const count = records.rows
      beginFates(rows, count)
      const firstOrdinal = kept === undefined ? (): number => 0 : ordinalsOfKept(kept, records, rows, m.count)
      const rejects = markSeen(identifier, { messages: m, rows, count, undecoded, counts })
      const ordinalOf = (row: number): number => ordinalIn(rows, row, firstOrdinal)
      if (known !== undefined) markKnown(known, { messages: m, rows, count, ordinalOf })
      counts.read += undecoded.length
      counts.messages += m.count
      for (let i = 0; i < m.count; i += 1) counts.bytes += Math.max(m.valueLength[i], 0)
      const result = layOut({ messages: m, records, rejects, known, firstOrdinal, counts })
      if (m.count === given) return result
      pending = { messages: messagesBetween(m, m.count, given), inputEnd }
      return { ...result, rest: pending.messages }
    },
    processRecords(m, slab, { records, around }, counts) {
      if (m.offset[0] !== largeOffset) [largeOffset, largeOrdinal] = [m.offset[0], 0]
      const messages = withKeyIn(slab, m)
      identifier.identify(messages)
      beginFates(rows, records.rows)
      growMessages(rows, records.rows)
      rows.messageOf.fill(0, 0, records.rows)
      rows.firstOf[0] = 0
      const firstOrdinal = (): number => largeOrdinal
      const result = layOut({ messages, records, rejects: [], firstOrdinal, around, counts })
      largeOrdinal += records.rows
      return result
    },
    reject(m, fault, counts) {
      identifier.identify(m)
      decoder.clear()
      counts.read += 1
      counts.messages += 1
      const reject: MessageReject = { row: -1, message: 0, kind: 'record', path: '', value: '', ...fault }
      const { records } = decoder
      return layOut({ messages: m, records, rejects: [reject], firstOrdinal: () => 0, counts })
    },
  }
}

/** The ordinal of a row within its message. */
function ordinalIn(rows: BlockRows, row: number, firstOrdinal: (message: number) => number): number {
  const message = rows.messageOf[row]
  return row - rows.firstOf[message] + firstOrdinal(message)
}

/** Ordinals of records that were kept in RAW, and their lines in the files. */
function ordinalsOfKept(
  kept: KeptMessages,
  { lines, rows: count }: Records,
  { messageOf }: BlockRows,
  messages: number,
): (message: number) => number {
  const sizes = new Int32Array(messages)
  for (let row = 0; row < count; row += 1) sizes[messageOf[row]] += 1
  for (let row = 0; row < count; row += 1) if (lines[row] > 0) lines[row] = kept.line(messageOf[row])
  return (message) => kept.firstOrdinal(message, sizes[message])
}

/** The first message, with its key in the slab of its records. */
function withKeyIn(slab: Slab, m: Messages): Messages {
  const messages: Messages = { ...m, slab, keyStart: m.keyStart.slice(0, 1), count: 1 }
  const key = m.slab.bytes.toString('utf8', m.keyStart[0], m.keyStart[0] + m.keyLength[0])
  messages.keyStart[0] = appendText(slab, key)
  return messages
}

/** Checks decoded rows and lays them out as columns. Their fates tell which ones are already duplicates. */
function createRowLayout(
  { dataset, columns, identifier, refused }: BlockOptions,
  decoder: BlockDecoder,
  rows: BlockRows,
): (layout: Layout) => BlockResult {
  const checker = compileChecks(dataset, columns)
  const origin = createOriginColumns(dataset)
  const rejected = {
    origin: createOriginColumns(dataset),
    rejects: REJECT_COLUMNS.map((column) => createColumn(column.kind)),
  }
  const original = createColumn('text')
  let selection = new Int32Array(0)

  return ({ messages, records, rejects, known, firstOrdinal, around, counts }) => {
    const { messageOf, firstOf, fates } = rows
    const byRecord = around !== undefined || decoder.around !== undefined
    const originalOf = (message: number, row: number): [number, number] =>
      byRecord && row >= 0
        ? wrapped(messages.slab, records, row, around?.(row) ?? decoder.surrounds[message])
        : [messages.valueStart[message], messages.valueLength[message]]
    const ordinalOf = (row: number): number => ordinalIn(rows, row, firstOrdinal)
    rejects.push(...markRefused(refused, { messages, rows, count: records.rows, ordinalOf }))
    for (const reject of checker.check(textOver(messages), records, fates))
      rejects.push(atLine({ ...reject, message: messageOf[reject.row] }, records.lines[reject.row]))
    if (selection.length < records.rows) selection = new Int32Array(records.rows * 2)
    const count = select(selection, fates, records.rows)
    counts.duplicate += countDuplicates(fates, records.rows)
    const source = {
      messages,
      ids: identifier.ids,
      known,
      ordinalOf: ({ row, message }: MessageReject) => row - firstOf[message] + firstOrdinal(message),
      originalOf: ({ row, message }: MessageReject) => originalOf(message, row),
    }
    origin.ensure(records.rows)
    for (let i = 0; i < count; i += 1) {
      const row = selection[i]
      origin.set(row, source, messageOf[row], ordinalOf(row))
    }
    const accepted = checker.columns.map((column) => column.values)
    if (dataset.raw.keepOriginal)
      accepted.push(keepOriginal(original, selection, count, (row) => originalOf(messageOf[row], row)))
    const quarantined = layOutRejects(rejected, rejects, source, counts)
    counts.accepted += count
    counts.read += records.rows
    return {
      accepted: { text: quarantined.text, selection, count, columns: [...accepted, ...origin.columns] },
      quarantined,
      discovered: checker.discovered,
      ordinals: origin.ordinals,
    }
  }
}

/** Writes the rows that continue into `selection`. Returns how many. */
function select(selection: Int32Array, fates: Uint8Array, rows: number): number {
  let count = 0
  for (let row = 0; row < rows; row += 1) if (fates[row] === 0) selection[count++] = row
  return count
}

function countDuplicates(fates: Uint8Array, rows: number): number {
  let count = 0
  for (let row = 0; row < rows; row += 1) if (fates[row] === DUPLICATE) count += 1
  return count
}

/** For formats of lines, a reject states the line on which its record starts. */
function atLine(reject: MessageReject, line: number): MessageReject {
  return line === 0 ? reject : { ...reject, line, reason: `${reject.reason} (line ${line})` }
}

/**
 * The original of one record, if the message has too many records to keep it with each: a small document that
 * a replay can read.
 */
function wrapped(slab: Slab, records: Records, row: number, surroundings: Surroundings): [number, number] {
  const [before, after] = typeof surroundings === 'function' ? surroundings() : surroundings
  const start = appendText(slab, before)
  appendBytes(slab, slab.bytes.subarray(records.extents[row * 2], records.extents[row * 2 + 1]))
  appendText(slab, after)
  return [start, slab.end - start]
}

function textOver(m: Messages): TextBytes {
  const { slab } = m
  return {
    get bytes() {
      return slab.bytes
    },
    append(text) {
      const start = appendText(slab, text)
      return { start, length: slab.end - start }
    },
  }
}

function keepOriginal(
  column: ReturnType<typeof createColumn>,
  selection: Int32Array,
  count: number,
  originalOf: (row: number) => [start: number, length: number],
): ReturnType<typeof createColumn> {
  ensureRows(column, count === 0 ? 0 : selection[count - 1] + 1)
  for (let i = 0; i < count; i += 1) setSpan(column, selection[i], ...originalOf(selection[i]))
  return column
}
