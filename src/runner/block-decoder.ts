/** Decodes the messages of a block one by one. A message that fails to decode affects no other message. */
import { HeadraceError, reasonOf } from '../core/errors.ts'
import { failpointAt, isArmed, trapFor } from '../core/failpoint.ts'
import { LIMITS } from '../core/limits.ts'
import { placeOf, type Messages } from '../core/messages.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import { truncateRows, type DocumentScanner, type Records, type Surroundings } from '../formats/records.ts'
import { createDecoder, type MessageFault } from './decoder.ts'
import { growMessages, type BlockRows, type UndecodedMessage } from './row-fates.ts'

export interface BlockDecoder {
  /** Rows of the messages of the last call. */
  readonly records: Records
  readonly around: DocumentScanner['around'] | undefined
  /** What surrounds a record of each message. Each message may have its own header. */
  readonly surrounds: readonly Surroundings[]
  /**
   * Decodes all messages, or as many as fit their slab up to `most` bytes; then it lowers the block's count.
   * Returns the messages that failed.
   */
  decodeAll(messages: Messages, rows: BlockRows, most: number): UndecodedMessage[]
  clear(): void
}

interface DecoderOptions {
  dataset: Dataset
  columns: Column[]
  /** Messages to reject without decoding, by place. */
  poison: ReadonlyMap<string, MessageFault>
}

export function createBlockDecoder({ dataset, columns, poison }: DecoderOptions): BlockDecoder {
  const decoder = createDecoder(dataset, columns)
  const { records } = decoder
  const surrounds: Surroundings[] = []

  const decodeOne = (m: Messages, i: number): ReturnType<typeof decoder.decode> => {
    if (isArmed('decode.message')) failpointAt('decode.message', placeOf(m, i))
    hangIfTrapped(m, i)
    const first = records.rows
    try {
      return decoder.decode(m.slab, m.valueStart[i], m.valueStart[i] + m.valueLength[i])
    } catch (error) {
      // An error that one message causes (depth, length, a bug of ours) stays with that message.
      if (error instanceof HeadraceError) throw error
      truncateRows(records, first)
      return { rule: 'decoder_failed', reason: reasonOf(error) }
    }
  }

  return {
    records,
    around: decoder.around,
    surrounds,
    clear: decoder.clear,
    decodeAll(m, rows, most) {
      const undecoded: UndecodedMessage[] = []
      decoder.clear()
      for (let i = 0; i < m.count; i += 1) {
        const first = records.rows
        if (m.valueLength[i] <= 0) continue
        const fault = faultBefore(m, i, poison) ?? decodeOne(m, i)
        if (fault !== undefined) undecoded.push({ message: i, ...fault, value: '' })
        growMessages(rows, records.rows)
        rows.messageOf.fill(i, first, records.rows)
        rows.firstOf[i] = first
        if (decoder.around !== undefined) surrounds[i] = decoder.around(first)
        // Compressed messages grow: this limits what a block holds at once, whatever they decompress to.
        if (m.slab.end > most) m.count = i + 1
      }
      return undecoded
    },
  }
}

/** A fault that is known before the message is decoded. */
function faultBefore(
  m: Messages,
  i: number,
  poison: ReadonlyMap<string, MessageFault>,
): MessageFault | undefined {
  const known = poison.size > 0 ? poison.get(placeOf(m, i)) : undefined
  if (known !== undefined) return known
  const unread = m.unread.size > 0 ? m.unread.get(i) : undefined
  if (unread !== undefined) return unread
  const length = m.valueLength[i]
  if (length <= LIMITS.recordBytes) return undefined
  return { rule: 'too_large', reason: `the message has ${length} bytes; the limit is ${LIMITS.recordBytes}` }
}

/** Only in tests: a value on which decoding never ends. */
function hangIfTrapped(m: Messages, i: number): void {
  const value = trapFor('hang')
  if (value === undefined) return
  while (m.slab.bytes.subarray(m.valueStart[i], m.valueStart[i] + m.valueLength[i]).includes(value));
}
