/**
 * Messages on their way to the stages. Normally a block is decoded and staged at once. After a child died,
 * its successor is careful: it takes one message at a time and announces each step before it starts it, so
 * that the next death has a known cause. After a child ran out of memory, blocks are smaller.
 */
import { messagesBetween, type Messages } from '../core/messages.ts'
import type { Counts } from '../core/results.ts'
import type { BatchWriter } from './batch-writer.ts'
import type { BlockProcessor, BlockResult } from './block.ts'
import type { MessageFault } from './decoder.ts'
import type { KnownRow } from './quarantine-rows.ts'
import type { ChildSettings, MessagePlace, Slice, Step, ToSupervisor } from './protocol.ts'

export interface Intake {
  /**
   * Decodes, checks and stages messages. Returns the paths that drift wants to add as columns; if there are
   * any, do not commit the batch.
   */
  take(messages: Messages, counts: Counts, known: KnownRow | undefined, name?: string): Promise<string[]>
  /** Stages a block that was made elsewhere from records of one message. */
  stage(block: BlockResult, place: MessagePlace): Promise<void>
  say(step: Step): void
  /** The writer calls this before it begins a file. */
  beforeWrite(): void
}

export interface IntakeOptions {
  settings: Pick<ChildSettings, 'careful' | 'slice' | 'share' | 'batchMessages'>
  processor: BlockProcessor
  writer: BatchWriter
  send(message: ToSupervisor): void
}

/** Most messages of a block when memory is short, divided by the share. */
const BLOCK_MESSAGES = 8_192

export function createIntake({ settings, processor, writer, send }: IntakeOptions): Intake {
  const { careful, slice, share, batchMessages } = settings
  /** A step has named the message whose files are written: the files themselves are no separate step. */
  let named = false
  const say = (step: Step): void => {
    if (careful) send({ type: 'step', step })
  }
  const stage = async (block: BlockResult, place: MessagePlace): Promise<void> => {
    if (!careful) return writer.add(block)
    const sliced = slice !== undefined && isSamePlace(slice, place)
    // Written alone, after everything staged before it: then the cause of a death while writing is known.
    const alone = sliced || batchMessages === 1
    if (alone) await writer.flush()
    named = alone
    for (const piece of piecesOf(block, sliced ? slice : undefined)) {
      say({ doing: 'write', ...place, ...piece.range })
      await writer.add(piece.block)
      if (alone) await writer.flush()
    }
    named = false
  }
  /** Undefined: all available messages. */
  const blockMessages = (): number | undefined => {
    if (careful) return 1
    return share > 1 ? Math.max(1, Math.floor(BLOCK_MESSAGES / share)) : undefined
  }
  return {
    say,
    beforeWrite() {
      if (!named) say({ doing: 'write' })
    },
    stage,
    async take(messages, counts, known, name) {
      const most = blockMessages() ?? messages.count
      for (let from = 0; from < messages.count; from += most) {
        const some =
          most >= messages.count
            ? messages
            : messagesBetween(messages, from, Math.min(from + most, messages.count))
        const place: MessagePlace = {
          partition: some.partition[0],
          offset: some.offset[0],
          ...(name === undefined ? {} : { name }),
        }
        say({ doing: 'decode', ...place })
        for (let part: Messages | undefined = some; part !== undefined;) {
          const block: BlockResult = processor.process(part, counts, known)
          if (block.discovered.size > 0) return [...block.discovered]
          await stage(block, place)
          part = block.rest
        }
      }
      return []
    },
  }
}

/** Files of a folder are identified by name. */
export function isSamePlace(a: MessagePlace, b: MessagePlace): boolean {
  return a.name === undefined ? a.partition === b.partition && a.offset === b.offset : a.name === b.name
}

interface Piece {
  range: { from: number; until: number }
  block: BlockResult
}

/**
 * The accepted rows of the block in groups of neighbors. Within the slice, a group has as many rows as the
 * slice states.
 */
export function piecesOf(block: BlockResult, slice: Slice | undefined): Piece[] {
  const { accepted, ordinals } = block
  const pieces: Piece[] = []
  const groupOf = (ordinal: number): number => {
    if (slice === undefined || ordinal < slice.from) return -1
    return ordinal >= slice.until ? Infinity : Math.floor((ordinal - slice.from) / slice.rows)
  }
  for (let from = 0, until = 0; from < accepted.count || pieces.length === 0; from = until) {
    const first = accepted.count === 0 ? 0 : ordinals[accepted.selection[from]]
    let last = first - 1
    for (; until < accepted.count; until += 1) {
      const ordinal = ordinals[accepted.selection[until]]
      if (groupOf(ordinal) !== groupOf(first)) break
      last = ordinal
    }
    pieces.push({
      range: { from: first, until: last + 1 },
      block: {
        ...block,
        accepted: { ...accepted, selection: accepted.selection.subarray(from, until), count: until - from },
        quarantined: pieces.length === 0 ? block.quarantined : { ...block.quarantined, count: 0 },
      },
    })
  }
  return pieces
}

/**
 * The supervisor's knowledge of messages and records in the form that the block processor needs: by
 * `partition:offset`.
 */
export function poisonByPlace(poison: ChildSettings['poison']): Map<string, MessageFault> {
  return new Map(
    poison.map(({ partition, offset, rule, reason }) => [`${partition}:${offset}`, { rule, reason }]),
  )
}

export function refusedByPlace(refused: ChildSettings['refused']): Map<string, Map<number, string>> {
  const byPlace = new Map<string, Map<number, string>>()
  for (const { partition, offset, ordinal, reason } of refused) {
    const place = `${partition}:${offset}`
    byPlace.set(place, (byPlace.get(place) ?? new Map<number, string>()).set(ordinal, reason))
  }
  return byPlace
}
