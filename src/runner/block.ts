/**
 * One block of messages to rows: decoded, deduplicated, checked, and laid out as columns for the two stages
 * (accepted and quarantined). Every record ends in exactly one of accepted, duplicate, quarantined; the
 * counts say so.
 */
import { LIMITS } from '../core/limits.ts'
import type { StageRows } from '../core/engine.ts'
import { createColumn, ensureRows } from '../core/rows.ts'
import { messagesBetween, placeOf, type Messages } from '../core/messages.ts'
import { appendBytes, appendText, type Slab } from '../core/slab.ts'
import { truncateRows, type DocumentScanner, type Records, type Surroundings } from '../formats/records.ts'
import { HeadraceError, reasonOf } from '../core/errors.ts'
import { failpointAt, isArmed, trapFor } from '../core/failpoint.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import { compileChecks } from '../quality/record-check.ts'
import type { TextBytes } from '../quality/text-bytes.ts'
import { createDecoder, type MessageFault } from './decoder.ts'
import type { MessageIdentifier } from './message-ids.ts'
import type { Counts } from '../core/results.ts'
import { REJECT_COLUMNS } from '../core/raw-columns.ts'
import { layOutRejects, type KnownRow, type MessageReject } from './quarantine-rows.ts'
import { createOriginColumns, setSpan } from './row-columns.ts'

const DUPLICATE = 1
const QUARANTINED = 2

export interface BlockResult {
  accepted: StageRows
  quarantined: StageRows
  /** Paths that drift wants as columns; when there are any, the block must not be committed. */
  discovered: Set<string>
  /** The ordinal of each accepted row within its message, by row. */
  ordinals: Int32Array
  /** Messages of the block that did not fit: to be processed when this result was written. */
  rest?: Messages
}

/** What is known of messages that were kept in RAW: a record that was kept by itself is a message then. */
export interface KeptMessages {
  /** The ordinal of a message's first record; told how many records it turned out to have. */
  firstOrdinal(message: number, records: number): number
  /** The line that its record had in the file; 0: not known. */
  line(message: number): number
}

export interface BlockProcessor {
  process(messages: Messages, counts: Counts, known: KnownRow | undefined, kept?: KeptMessages): BlockResult
  /**
   * Records of one large message (the first of `messages`), decoded elsewhere, window by window; ordinals go
   * on.
   */
  processRecords(
    messages: Messages,
    slab: Slab,
    scanner: Pick<DocumentScanner, 'records' | 'around'>,
    counts: Counts,
  ): BlockResult
  /** The first message, rejected as a whole. */
  reject(messages: Messages, fault: { rule: string; reason: string }, counts: Counts): BlockResult
}

export interface BlockOptions {
  dataset: Dataset
  columns: Column[]
  identifier: MessageIdentifier
  /** Messages that are rejected undecoded, by place. */
  poison: ReadonlyMap<string, MessageFault>
  /** Records that the engine does not take: their reasons by ordinal, by the place of their message. */
  refused?: ReadonlyMap<string, ReadonlyMap<number, string>>
}

export function createBlockProcessor(options: BlockOptions): BlockProcessor {
  const { dataset, columns, identifier } = options
  const decoder = createDecoder(dataset, columns)
  const checker = compileChecks(dataset, columns)
  const origin = createOriginColumns(dataset)
  const rejectOrigin = createOriginColumns(dataset)
  const rejectColumns = REJECT_COLUMNS.map((column) => createColumn(column.kind))
  const original = createColumn('text')
  let rowMessage = new Int32Array(0)
  let skip = new Uint8Array(0)
  let selection = new Int32Array(0)
  const ordinals: number[] = []
  /** What stands around a record of each message; each may have a header of its own. */
  const surrounds: Surroundings[] = []

  const decodeOne = (m: Messages, i: number): ReturnType<typeof decoder.decode> => {
    if (isArmed('decode.message')) failpointAt('decode.message', placeOf(m, i))
    hangIfTrapped(m, i)
    const first = decoder.records.rows
    try {
      return decoder.decode(m.slab, m.valueStart[i], m.valueStart[i] + m.valueLength[i])
    } catch (error) {
      // What one message makes a decoder throw (a depth, a length, a mistake of ours) is that message's
      // affair.
      if (error instanceof HeadraceError) throw error
      truncateRows(decoder.records, first)
      return { rule: 'decoder_failed', reason: reasonOf(error) }
    }
  }

  /** What is known of a message before it is decoded. */
  const faultBefore = (m: Messages, i: number): MessageFault | undefined => {
    const poison = options.poison.size > 0 ? options.poison.get(placeOf(m, i)) : undefined
    if (poison !== undefined) return poison
    const unread = m.unread.size > 0 ? m.unread.get(i) : undefined
    if (unread !== undefined) return unread
    const length = m.valueLength[i]
    return length > LIMITS.recordBytes
      ? { rule: 'too_large', reason: `the message has ${length} bytes, more than ${LIMITS.recordBytes}` }
      : undefined
  }

  /** Rejects the records that the engine refused before, so that it does not see them again. */
  const rejectRefused = (
    m: Messages,
    rows: number,
    ordinalOf: (row: number) => number,
    rejects: MessageReject[],
  ): void => {
    if (options.refused === undefined || options.refused.size === 0) return
    for (let row = 0; row < rows; row += 1) {
      const reason =
        skip[row] === 0 ? options.refused.get(placeOf(m, rowMessage[row]))?.get(ordinalOf(row)) : undefined
      if (reason === undefined) continue
      skip[row] = QUARANTINED
      rejects.push({
        row,
        message: rowMessage[row],
        kind: 'record',
        rule: 'engine_refused',
        path: '',
        value: '',
        reason,
      })
    }
  }

  /**
   * Decodes all messages; returns faults of whole messages. `rowMessage` then says which message a row is of.
   */
  const decodeAll = (
    m: Messages,
    most: number,
  ): { message: number; rule: string; reason: string; value: string }[] => {
    const faults: { message: number; rule: string; reason: string; value: string }[] = []
    const { records } = decoder
    decoder.clear()
    for (let i = 0; i < m.count; i += 1) {
      const first = records.rows
      if (m.valueLength[i] <= 0) continue
      const fault = faultBefore(m, i) ?? decodeOne(m, i)
      if (fault !== undefined) faults.push({ message: i, ...fault, value: '' })
      if (records.rows > rowMessage.length) rowMessage = grown(rowMessage, records.rows)
      for (let row = first; row < records.rows; row += 1) rowMessage[row] = i
      ordinals[i] = first
      if (decoder.around !== undefined) surrounds[i] = decoder.around(first)
      // Compressed messages become large: what a block holds at once is bounded, whatever they unpack to.
      if (m.slab.end > most) m.count = i + 1
    }
    return faults
  }

  /** Checks decoded rows and lays them out; `skip` says which rows are duplicates already. */
  const layOutRows = (
    m: Messages,
    records: Records,
    counts: Counts,
    known: KnownRow | undefined,
    early: MessageReject[],
    firstOrdinal: (message: number) => number,
    aroundRow?: DocumentScanner['around'],
  ): BlockResult => {
    const { rows } = records
    const byRecord = aroundRow !== undefined || decoder.around !== undefined
    const originalOf = (message: number, row: number): [number, number] =>
      byRecord && row >= 0
        ? wrapped(m.slab, records, row, aroundRow?.(row) ?? surrounds[message])
        : [m.valueStart[message], m.valueLength[message]]
    if (selection.length < rows) selection = new Int32Array(rows * 2)
    const rejects = early
    rejectRefused(m, rows, (row) => row - ordinals[rowMessage[row]] + firstOrdinal(rowMessage[row]), rejects)
    for (const reject of checker.check(
      textOver(m),
      { cells: records.cells, rows, issues: records.issues },
      skip,
    ))
      rejects.push(atLine({ ...reject, message: rowMessage[reject.row] }, records.lines[reject.row]))
    origin.ensure(rows)
    let count = 0
    for (let row = 0; row < rows; row += 1) {
      if (skip[row] === 0) selection[count++] = row
      else if (skip[row] === DUPLICATE) counts.duplicate += 1
    }
    for (let i = 0; i < count; i += 1) {
      const row = selection[i]
      origin.set(
        row,
        m,
        identifier.ids,
        rowMessage[row],
        row - ordinals[rowMessage[row]] + firstOrdinal(rowMessage[row]),
      )
    }
    const accepted = checker.columns.map((one) => one.values)
    if (dataset.raw.keepOriginal)
      accepted.push(keepOriginal(original, selection, count, (row) => originalOf(rowMessage[row], row)))
    const source = {
      messages: m,
      ids: identifier.ids,
      known,
      ordinalOf: (one: MessageReject) => one.row - ordinals[one.message] + firstOrdinal(one.message),
      originalOf: (one: MessageReject) => originalOf(one.message, one.row),
    }
    const quarantined = layOutRejects(
      { origin: rejectOrigin, rejects: rejectColumns },
      rejects,
      source,
      counts,
    )
    counts.accepted += count
    counts.read += rows
    return {
      accepted: { text: quarantined.text, selection, count, columns: [...accepted, ...origin.columns] },
      quarantined,
      discovered: checker.discovered,
      ordinals: origin.ordinals,
    }
  }

  const begin = (rows: number): void => {
    if (skip.length < rows) skip = new Uint8Array(rows * 2)
    skip.fill(0, 0, rows)
  }

  /** The rest of a block, and where its input ends in the slab. */
  let pending: { messages: Messages; inputEnd: number } | undefined
  let largeOffset = -1
  let largeOrdinal = 0

  return {
    process(m, counts, known, kept) {
      if (m === pending?.messages) m.slab.end = pending.inputEnd
      identifier.identify(m)
      const [inputEnd, given] = [m.slab.end, m.count]
      const faults = decodeAll(m, inputEnd + LIMITS.unpackedBlockBytes)
      const { records } = decoder
      begin(records.rows)
      const early: MessageReject[] = []
      const sizes = new Int32Array(m.count)
      for (let row = 0; row < records.rows; row += 1) sizes[rowMessage[row]] += 1
      const first = (i: number): number => kept?.firstOrdinal(i, sizes[i]) ?? 0
      if (kept !== undefined)
        for (let row = 0; row < records.rows; row += 1)
          if (records.lines[row] > 0) records.lines[row] = kept.line(rowMessage[row])
      markSeen(m, identifier, records.rows, rowMessage, ordinals, skip, faults, early, counts)
      if (known !== undefined)
        markKnown(
          m,
          known,
          records.rows,
          rowMessage,
          (row) => row - ordinals[rowMessage[row]] + first(rowMessage[row]),
          skip,
        )
      counts.read += faults.length
      counts.messages += m.count
      for (let i = 0; i < m.count; i += 1) counts.bytes += Math.max(m.valueLength[i], 0)
      const result = layOutRows(m, records, counts, known, early, first)
      if (m.count === given) return result
      pending = { messages: messagesBetween(m, m.count, given), inputEnd }
      return { ...result, rest: pending.messages }
    },
    processRecords(m, slab, { records, around }, counts) {
      if (m.offset[0] !== largeOffset) [largeOffset, largeOrdinal] = [m.offset[0], 0]
      const wide: Messages = { ...m, slab, keyStart: m.keyStart.slice(0, 1), count: 1 }
      wide.keyStart[0] = appendText(
        slab,
        m.slab.bytes.toString('utf8', m.keyStart[0], m.keyStart[0] + m.keyLength[0]),
      )
      identifier.identify(wide)
      begin(records.rows)
      if (records.rows > rowMessage.length) rowMessage = grown(rowMessage, records.rows)
      rowMessage.fill(0, 0, records.rows)
      ordinals[0] = 0
      const result = layOutRows(wide, records, counts, undefined, [], () => largeOrdinal, around)
      largeOrdinal += records.rows
      return result
    },
    reject(m, fault, counts) {
      identifier.identify(m)
      decoder.clear()
      counts.read += 1
      counts.messages += 1
      return layOutRows(
        m,
        decoder.records,
        counts,
        undefined,
        [{ row: -1, message: 0, kind: 'record', path: '', value: '', ...fault }],
        () => 0,
      )
    },
  }
}

/** A reject of a format of lines says on which one its record starts. */
function atLine(reject: MessageReject, line: number): MessageReject {
  return line === 0 ? reject : { ...reject, line, reason: `${reject.reason} (line ${line})` }
}

/**
 * The original of one record, where the message has so many that it cannot be kept with each: a small
 * document that a replay can read.
 */
function wrapped(slab: Slab, records: Records, row: number, surroundings: Surroundings): [number, number] {
  const [before, after] = typeof surroundings === 'function' ? surroundings() : surroundings
  const start = appendText(slab, before)
  appendBytes(slab, slab.bytes.subarray(records.extents[row * 2], records.extents[row * 2 + 1]))
  appendText(slab, after)
  return [start, slab.end - start]
}

/** Only in tests: a value on which decoding never ends. */
function hangIfTrapped(m: Messages, i: number): void {
  const value = trapFor('hang')
  while (
    value !== undefined &&
    m.slab.bytes.subarray(m.valueStart[i], m.valueStart[i] + m.valueLength[i]).includes(value)
  );
}

function grown(old: Int32Array<ArrayBuffer>, needed: number): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(needed * 2)
  wider.set(old)
  return wider
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

interface Fault {
  message: number
  rule: string
  reason: string
  value: string
}

/** Drops what the producer sent before; quarantines a message whose identity belongs to other content. */
function markSeen(
  m: Messages,
  identifier: MessageIdentifier,
  rows: number,
  rowMessage: Int32Array,
  first: number[],
  skip: Uint8Array,
  faults: Fault[],
  rejects: MessageReject[],
  counts: Counts,
): void {
  const faulty = new Map(faults.map((fault) => [fault.message, fault]))
  let row = 0
  for (let i = 0; i < m.count; i += 1) {
    if (m.valueLength[i] <= 0) continue
    const sighting = identifier.see(m, i)
    const fault = faulty.get(i)
    if (fault !== undefined) {
      if (sighting === 'duplicate') counts.duplicate += 1
      else rejects.push({ row: -1, kind: 'record', path: '', ...fault })
      continue
    }
    row = first[i]
    for (; row < rows && rowMessage[row] === i; row += 1) {
      if (sighting === 'duplicate') skip[row] = DUPLICATE
      else if (sighting === 'conflict') {
        skip[row] = QUARANTINED
        rejects.push({
          row,
          message: i,
          kind: 'record',
          rule: 'id_conflict',
          path: '',
          value: '',
          reason: 'another message with this id and other content came before',
        })
      }
    }
  }
}

function markKnown(
  m: Messages,
  known: KnownRow,
  rows: number,
  rowMessage: Int32Array,
  ordinalOf: (row: number) => number,
  skip: Uint8Array,
): void {
  for (let row = 0; row < rows; row += 1) {
    const i = rowMessage[row]
    if (skip[row] === 0 && known(m.partition[i], m.offset[i], ordinalOf(row))) skip[row] = DUPLICATE
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
