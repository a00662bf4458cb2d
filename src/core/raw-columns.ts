/** The columns that RAW has besides the declared ones. Their names are reserved. */
import type { StageColumn } from './engine.ts'

/** Where the row came from. Every row has these. */
export const ORIGIN_COLUMNS: StageColumn[] = [
  { name: 'message_id', kind: 'text', type: 'string' },
  { name: 'message_key', kind: 'text', type: 'string' },
  { name: 'message_headers', kind: 'text', type: 'string' },
  { name: 'topic', kind: 'text', type: 'string' },
  { name: 'topic_id', kind: 'text', type: 'string' },
  { name: 'kafka_partition', kind: 'int32', type: 'integer' },
  { name: 'kafka_offset', kind: 'int64', type: 'long' },
  { name: 'ordinal', kind: 'int32', type: 'integer' },
  { name: 'message_time', kind: 'int64', type: 'timestamp' },
  { name: 'ingest_time', kind: 'int64', type: 'timestamp' },
  { name: 'content_hash', kind: 'int32', type: 'integer' },
]

/** Only quarantined rows have these. */
export const REJECT_COLUMNS: StageColumn[] = [
  { name: 'reject_kind', kind: 'text', type: 'string' },
  { name: 'reject_rule', kind: 'text', type: 'string' },
  { name: 'reject_path', kind: 'text', type: 'string' },
  { name: 'reject_value', kind: 'text', type: 'string' },
  { name: 'reject_reason', kind: 'text', type: 'string' },
  { name: 'original', kind: 'text', type: 'binary' },
]
