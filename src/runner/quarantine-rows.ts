/** Rejects as rows of the quarantine, with the original bytes. */
import { ensureRows, type ColumnValues } from '../core/rows.ts'
import type { StageRows } from '../core/engine.ts'
import type { Counts } from '../core/results.ts'
import { appendText } from '../core/slab.ts'
import type { Reject } from '../quality/record-check.ts'
import { setSpan, type IdentifiedMessages, type OriginColumns } from './row-columns.ts'

export type MessageReject = Reject & { message: number; line?: number }

/** Whether RAW already has an identity (only used when a range is read again). */
export type KnownRow = (partition: number, offset: number, ordinal: number) => boolean

export interface QuarantineColumns {
  origin: OriginColumns
  rejects: ColumnValues[]
}

/** The source of the identity and the bytes of a reject. */
export interface RejectSource extends IdentifiedMessages {
  ordinalOf(reject: MessageReject): number
  originalOf(reject: MessageReject): [start: number, length: number]
  known: KnownRow | undefined
}

/** Rows of the quarantine: one per reject, with the message's original bytes. */
export function layOutRejects(
  { origin, rejects: columns }: QuarantineColumns,
  rejects: MessageReject[],
  source: RejectSource,
  counts: Counts,
): StageRows {
  const { messages: m, known } = source
  origin.ensure(rejects.length)
  for (const column of columns) ensureRows(column, rejects.length)
  const selection = new Int32Array(rejects.length)
  let count = 0
  for (const reject of rejects) {
    const ordinal = reject.row < 0 ? -1 : source.ordinalOf(reject)
    // Read again after a rewind: RAW already has this reject.
    if (known?.(m.partition[reject.message], m.offset[reject.message], ordinal)) {
      counts.duplicate += 1
      continue
    }
    origin.set(count, source, reject.message, ordinal)
    const texts = [reject.kind, reject.rule, reject.path, reject.value, reject.reason]
    texts.forEach((text, i) => {
      const start = appendText(m.slab, text)
      setSpan(columns[i], count, start, m.slab.end - start)
    })
    setSpan(columns[5], count, ...source.originalOf(reject))
    selection[count] = count
    count += 1
    if (reject.kind === 'note') counts.notes += 1
    else {
      counts.quarantined += 1
      counts.byReason[reject.rule] = (counts.byReason[reject.rule] ?? 0) + 1
    }
  }
  return {
    text: { bytes: m.slab.bytes, end: m.slab.end },
    selection,
    count,
    columns: [...origin.columns, ...columns],
  }
}
