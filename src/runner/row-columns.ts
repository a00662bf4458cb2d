/** The columns that every RAW row has beside its data: where it came from. Filled per row, reused for each slab. */
import type { StageColumn } from '../core/engine.ts'
import { createColumn, ensureRows, setWords, type ColumnValues } from '../core/rows.ts'
import type { Messages } from '../core/messages.ts'

export const ORIGIN_COLUMNS: StageColumn[] = [
  { name: 'message_id', kind: 'text', type: 'string' },
  { name: 'message_key', kind: 'text', type: 'string' },
  { name: 'message_headers', kind: 'text', type: 'string' },
  { name: 'kafka_partition', kind: 'int32', type: 'integer' },
  { name: 'kafka_offset', kind: 'int64', type: 'long' },
  { name: 'ordinal', kind: 'int32', type: 'integer' },
  { name: 'message_time', kind: 'int64', type: 'timestamp' },
  { name: 'content_hash', kind: 'int32', type: 'integer' },
]

export const REJECT_COLUMNS: StageColumn[] = [
  { name: 'reject_kind', kind: 'text', type: 'string' },
  { name: 'reject_rule', kind: 'text', type: 'string' },
  { name: 'reject_path', kind: 'text', type: 'string' },
  { name: 'reject_value', kind: 'text', type: 'string' },
  { name: 'reject_reason', kind: 'text', type: 'string' },
  { name: 'original', kind: 'text', type: 'binary' },
]

/** Spans of each message's identity; length -1 when it has none. */
export interface MessageIds {
  start: Int32Array
  length: Int32Array
  hash: Int32Array
}

export interface OriginColumns {
  readonly columns: ColumnValues[]
  ensure(rows: number): void
  /** Fills `row` from message `index`. */
  set(row: number, messages: Messages, ids: MessageIds, index: number, ordinal: number): void
}

export function createOriginColumns(): OriginColumns {
  const columns = ORIGIN_COLUMNS.map((column) => createColumn(column.kind))
  const [id, key, headers, partition, offset, ordinals, time, hash] = columns
  return {
    columns,
    ensure: (rows) => columns.forEach((column) => ensureRows(column, rows)),
    set(row, m, ids, index, ordinal) {
      setSpan(id, row, ids.start[index], ids.length[index])
      setSpan(key, row, m.keyStart[index], m.keyLength[index])
      setSpan(headers, row, m.headersStart[index], m.headersLength[index] > 0 ? m.headersLength[index] : -1)
      partition.int32[row] = m.partition[index]
      setWords(offset.words, row, m.offset[index])
      ordinals.int32[row] = ordinal
      setWords(time.words, row, m.time[index] * 1000)
      hash.int32[row] = ids.hash[index]
      partition.valid[row] = offset.valid[row] = ordinals.valid[row] = time.valid[row] = hash.valid[row] = 1
    },
  }
}

export function setSpan(column: ColumnValues, row: number, start: number, length: number): void {
  column.valid[row] = length >= 0 ? 1 : 0
  column.spans[row * 2] = start
  column.spans[row * 2 + 1] = Math.max(length, 0)
}
