/**
 * Decides the fate of the decoded rows of a block before they are checked: a duplicate is dropped, a row that
 * is refused because of its message is quarantined, all other rows continue.
 */
import { placeOf, type Messages } from '../core/messages.ts'
import type { Counts } from '../core/results.ts'
import type { MessageIdentifier } from './message-ids.ts'
import type { KnownRow, MessageReject } from './quarantine-rows.ts'

/** A row that continues has fate 0. */
export const DUPLICATE = 1
export const QUARANTINED = 2

/** Rows of a block, by their place in the decoder's records. Arrays may be longer than the number of rows. */
export interface BlockRows {
  /** The message of each row. */
  messageOf: Int32Array<ArrayBuffer>
  /** The first row of each message. */
  firstOf: number[]
  fates: Uint8Array<ArrayBuffer>
}

export function createBlockRows(): BlockRows {
  return { messageOf: new Int32Array(0), firstOf: [], fates: new Uint8Array(0) }
}

/** Makes room for messages of this many rows, and keeps the content. */
export function growMessages(rows: BlockRows, needed: number): void {
  if (needed <= rows.messageOf.length) return
  const wider = new Int32Array(needed * 2)
  wider.set(rows.messageOf)
  rows.messageOf = wider
}

/** Resets the fates of this many rows. */
export function beginFates(rows: BlockRows, count: number): void {
  if (rows.fates.length < count) rows.fates = new Uint8Array(count * 2)
  rows.fates.fill(0, 0, count)
}

/** A message that could not be decoded. */
export interface UndecodedMessage {
  message: number
  rule: string
  reason: string
  value: string
}

interface Seen {
  messages: Messages
  rows: BlockRows
  count: number
  undecoded: UndecodedMessage[]
  counts: Counts
}

/**
 * Drops what the producer sent before, and quarantines a message whose identity belongs to other content.
 * Returns the rejects.
 */
export function markSeen(identifier: MessageIdentifier, seen: Seen): MessageReject[] {
  const { messages, rows, count, undecoded, counts } = seen
  const { messageOf, firstOf, fates } = rows
  const rejects: MessageReject[] = []
  const faulty = new Map(undecoded.map((fault) => [fault.message, fault]))
  for (let i = 0; i < messages.count; i += 1) {
    if (messages.valueLength[i] <= 0) continue
    const sighting = identifier.see(messages, i)
    const fault = faulty.get(i)
    if (fault !== undefined) {
      if (sighting === 'duplicate') counts.duplicate += 1
      else rejects.push({ row: -1, kind: 'record', path: '', ...fault })
      continue
    }
    if (sighting !== 'duplicate' && sighting !== 'conflict') continue
    for (let row = firstOf[i]; row < count && messageOf[row] === i; row += 1) {
      fates[row] = sighting === 'duplicate' ? DUPLICATE : QUARANTINED
      if (sighting === 'conflict') rejects.push(conflictAt(row, i))
    }
  }
  return rejects
}

function conflictAt(row: number, message: number): MessageReject {
  const reason = 'an earlier message has the same ID and different content'
  return { row, message, kind: 'record', rule: 'id_conflict', path: '', value: '', reason }
}

interface Ordinals {
  messages: Messages
  rows: BlockRows
  count: number
  ordinalOf(row: number): number
}

/** Drops rows that RAW already has. */
export function markKnown(known: KnownRow, { messages, rows, count, ordinalOf }: Ordinals): void {
  const { messageOf, fates } = rows
  for (let row = 0; row < count; row += 1) {
    const i = messageOf[row]
    if (fates[row] === 0 && known(messages.partition[i], messages.offset[i], ordinalOf(row)))
      fates[row] = DUPLICATE
  }
}

/** Records that the engine refuses: their reasons by ordinal, by the place of their message. */
export type RefusedRecords = ReadonlyMap<string, ReadonlyMap<number, string>>

/** Rejects the records that the engine refused before, so that it does not get them again. */
export function markRefused(
  refused: RefusedRecords | undefined,
  { messages, rows, count, ordinalOf }: Ordinals,
): MessageReject[] {
  if (refused === undefined || refused.size === 0) return []
  const { messageOf, fates } = rows
  const rejects: MessageReject[] = []
  for (let row = 0; row < count; row += 1) {
    const message = messageOf[row]
    const reason = fates[row] === 0 ? refused.get(placeOf(messages, message))?.get(ordinalOf(row)) : undefined
    if (reason === undefined) continue
    fates[row] = QUARANTINED
    rejects.push({ row, message, kind: 'record', rule: 'engine_refused', path: '', value: '', reason })
  }
  return rejects
}
