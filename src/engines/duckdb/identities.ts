/** Reads the identities of messages back from RAW: for the dedup window after a restart, and for replays. */
import duckdb from '@duckdb/node-bindings'
import type { CommittedFiles, OffsetRange, VisitMessageId } from '../../core/engine.ts'
import { engineError } from './errors.ts'
import type { DuckSession } from './session.ts'
import { literal, parquetRows } from './sql.ts'

/**
 * An inlined DuckDB string holds 12 bytes: IDs are cut into pieces that can be read without following
 * pointers.
 */
const PIECE = 12
const LONGEST_ID = 10 * PIECE

export async function readMessageIds(
  session: DuckSession,
  { files, inOrder }: CommittedFiles,
  { topicId, ranges }: { topicId: string; ranges: OffsetRange[] },
  visit: VisitMessageId,
): Promise<void> {
  if (files.length === 0 || ranges.length === 0) return
  const table = parquetRows(files)
  // A message that was refused as id_conflict was never remembered. Without any refusal, there is no such
  // column.
  const named = await session.rows(
    `SELECT column_name FROM (DESCRIBE SELECT * FROM ${table}) WHERE column_name = 'reject_rule'`,
  )
  const remembered = named.length === 0 ? '' : " AND reject_rule IS DISTINCT FROM 'id_conflict'"
  const source = `${table} WHERE ${inRanges(topicId, ranges)} AND ordinal <= 0 AND message_id IS NOT NULL${remembered}`
  const [[longest]] = await session.rows(
    `SELECT coalesce(max(strlen(message_id)), 0)::INTEGER FROM ${source}`,
  )
  const pieces = Math.max(1, Math.ceil(Math.min(Number(longest), LONGEST_ID) / PIECE))
  const columns = Array.from({ length: pieces }, (_, i) => `substr(message_id, ${i * PIECE + 1}, ${PIECE})`)
  const sql = `SELECT kafka_partition, content_hash, ${columns.join(', ')} FROM ${source} AND strlen(message_id) = length(message_id)${inOrder ? '' : ' ORDER BY kafka_offset'}`
  await readChunks(session, sql, pieces, visit)
  const long = await session.rows(
    `SELECT kafka_partition, content_hash, message_id FROM ${source} AND (strlen(message_id) >= ${LONGEST_ID} OR strlen(message_id) <> length(message_id))`,
  )
  for (const [partition, hash, id] of long) {
    const bytes = Buffer.from(String(id))
    visit(Number(partition), bytes, bytes.length, Number(hash))
  }
}

async function readChunks(
  session: DuckSession,
  sql: string,
  pieces: number,
  visit: VisitMessageId,
): Promise<void> {
  const id = new Uint8Array(LONGEST_ID)
  try {
    const result = await duckdb.execute_prepared_streaming(await duckdb.prepare(session.raw, sql))
    for (;;) {
      const chunk = await duckdb.fetch_chunk(result)
      const rows = chunk === null ? 0 : duckdb.data_chunk_get_size(chunk)
      if (chunk === null || rows === 0) return
      const partitions = words(duckdb.vector_get_data(duckdb.data_chunk_get_vector(chunk, 0), rows * 4))
      const hashes = words(duckdb.vector_get_data(duckdb.data_chunk_get_vector(chunk, 1), rows * 4))
      const texts = Array.from({ length: pieces }, (_, i) =>
        duckdb.vector_get_data(duckdb.data_chunk_get_vector(chunk, 2 + i), rows * 16),
      )
      for (let row = 0; row < rows; row += 1) {
        let length = 0
        for (const text of texts) {
          const size = text[row * 16]
          for (let k = 0; k < size; k += 1) id[length++] = text[row * 16 + 4 + k]
        }
        if (length < LONGEST_ID || pieces * PIECE < LONGEST_ID)
          visit(partitions.getInt32(row * 4, true), id, length, hashes.getInt32(row * 4, true))
      }
    }
  } catch (error) {
    throw engineError(error, 'read message ids')
  }
}

function words(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export async function readRowIds(
  session: DuckSession,
  files: string[],
  topicId: string,
  ranges: OffsetRange[],
): Promise<Set<string>> {
  if (files.length === 0 || ranges.length === 0) return new Set()
  const sql = `SELECT kafka_partition || ':' || kafka_offset || ':' || ordinal FROM ${parquetRows(files)} WHERE ${inRanges(topicId, ranges)}`
  return new Set((await session.rows(sql)).map(([id]) => String(id)))
}

function inRanges(topicId: string, ranges: OffsetRange[]): string {
  const each = ranges.map(
    (range) =>
      `(kafka_partition = ${range.partition} AND kafka_offset >= ${range.from} AND kafka_offset < ${range.until})`,
  )
  return `topic_id = ${literal(topicId)} AND (${each.join(' OR ')})`
}
