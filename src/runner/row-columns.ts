/** The columns for the origin of a RAW row, filled per row and reused for each slab. */
import type { DerivedColumn, StageColumn } from '../core/engine.ts'
import { createColumn, ensureRows, setWords, type ColumnValues } from '../core/rows.ts'
import type { Messages } from '../core/messages.ts'
import type { Dataset } from '../dataset/declaration.ts'
import { ORIGIN_COLUMNS } from '../core/raw-columns.ts'

const SAME_IN_A_FILE = ['topic', 'topic_id', 'ingest_time']

/** The origin columns that differ from row to row. A message ID that is the key is not staged twice. */
export function stagedOrigin(dataset: Dataset): StageColumn[] {
  const derived = dataset.messageId.from === 'header' ? SAME_IN_A_FILE : ['message_id', ...SAME_IN_A_FILE]
  return ORIGIN_COLUMNS.filter((column) => !derived.includes(column.name))
}

/** The other origin columns, for a file of one batch. Missing ones are null. */
export function derivedOrigin(
  dataset: Dataset,
  file: { topic: string; topicId: string; ingestTime: string },
): DerivedColumn[] {
  const constants: DerivedColumn[] = [
    { name: 'topic', type: 'string', value: file.topic },
    { name: 'topic_id', type: 'string', value: file.topicId },
    { name: 'ingest_time', type: 'timestamp', value: file.ingestTime },
  ]
  return dataset.messageId.from === 'key'
    ? [...constants, { name: 'message_id', type: 'string', sameAs: 'message_key' }]
    : constants
}

/** Spans of each message's identity. Length -1 if it has none. */
export interface MessageIds {
  start: Int32Array
  length: Int32Array
  hash: Int32Array
}

export interface IdentifiedMessages {
  messages: Messages
  ids: MessageIds
}

export interface OriginColumns {
  readonly columns: ColumnValues[]
  readonly ordinals: Int32Array
  ensure(rows: number): void
  /** Fills `row` from message `index`. */
  set(row: number, from: IdentifiedMessages, index: number, ordinal: number): void
}

export function createOriginColumns(dataset: Dataset): OriginColumns {
  const columns = stagedOrigin(dataset).map((column) => createColumn(column.kind))
  const [hash, time, ordinals, offset, partition, headers, key, id] = columns.toReversed() as (
    | ColumnValues
    | undefined
  )[] as [
    ColumnValues,
    ColumnValues,
    ColumnValues,
    ColumnValues,
    ColumnValues,
    ColumnValues,
    ColumnValues,
    ColumnValues | undefined,
  ]
  return {
    columns,
    get ordinals() {
      return ordinals.int32
    },
    ensure: (rows) => columns.forEach((column) => ensureRows(column, rows)),
    set(row, { messages: m, ids }, index, ordinal) {
      if (id !== undefined) setSpan(id, row, ids.start[index], ids.length[index])
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
