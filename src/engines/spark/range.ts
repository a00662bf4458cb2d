/**
 * Spark reads a closed range of a topic, hands the messages to our decoder in its tasks (script transform: one process a task,
 * lines in, lines out), gives the fields their types and writes them. Measured against `from_xml`: docs/decisions/0009.
 */
import type { DerivedColumn, StageColumn } from '../../core/engine.ts'
import { HeadraceError, failure } from '../../core/errors.ts'
import { headersText } from '../../core/messages.ts'
import type { DecodeRequest, DecodedRange, RangeEngine, Verdict } from '../../core/range-engine.ts'
import { addCounts, emptyCounts, type Counts } from '../../core/results.ts'
import type { DataFile } from '../../core/table-schema.ts'
import type { KafkaSourceSpec } from '../../dataset/declaration.ts'
import { arrowColumns, arrowTable } from './arrow-rows.ts'
import { kafkaRange } from './kafka-read.ts'
import type { Relation } from './protocol.ts'
import type { SparkSession } from './session.ts'
import { constant, fieldExpression, lineType, literal, name } from './sql.ts'
import { STAGING_ENTRY, readTexts, stagedFiles } from './staging.ts'

export interface RangeEngineOptions {
  session: SparkSession
  source: KafkaSourceSpec
  /** Columns of a decoder's lines behind the outcome: with a field each, and those that share the last one. */
  own: StageColumn[]
  rare: StageColumn[]
  /** Columns that are the same in the whole batch, but for ingest_time. */
  derived: DerivedColumn[]
  /** Columns of a data file, in order. */
  order: string[]
  /** Shell command that runs the decoder, for these messages to quarantine. */
  decoder(poison: DecodeRequest['poison']): string
  format: { separator: string; rareSeparator: string; encodedMark: string; nullField: string }
  compression: string
  rowsPerFile: number
  /** Where Spark finds an object of the table's store. */
  uri(name: string): string
  read(name: string): Promise<Buffer | undefined>
  remove(name: string): Promise<void>
  signal: AbortSignal
}

/** Settings of the session that the plans rely on. */
export const SESSION_SETTINGS: Record<string, string> = {
  'spark.sql.session.timeZone': 'UTC',
  'spark.sql.ansi.enabled': 'true',
  // Line breaks in base64 would end a decoder's line.
  'spark.sql.chunkBase64String.enabled': 'false',
  // Other readers take the old form (96 bits) for another type.
  'spark.sql.parquet.outputTimestampType': 'TIMESTAMP_MICROS',
  // Rows of two outcomes are written side by side; sorting them apart first costs a sixth of a batch.
  'spark.sql.maxConcurrentOutputFileWriters': '8',
  'spark.databricks.delta.properties.defaults.dataSkippingNumIndexedCols': '-1',
}

export function createRangeEngine(options: RangeEngineOptions): RangeEngine {
  const { session, signal } = options
  return {
    async readHeads(ranges, visit) {
      const query = 'SELECT partition, offset, key, IF(size(headers) > 0, to_json(headers), NULL) AS headers, length(value) > 0 AS has_value, CAST(crc32(value) AS BIGINT) AS hash FROM src'
      const heads: Head[] = []
      for await (const bytes of session.batches(withSources(query, { src: kafkaRange(options.source, ranges) }), { action: 'read the keys of messages', signal })) collectHeads(bytes, heads)
      // Tasks answer in any order, and a Kafka partition may be split between two.
      heads.sort((a, b) => a.partition - b.partition || a.offset - b.offset)
      for (const head of heads) visit({ ...head, headers: head.headers === null ? null : headersText(head.headers) })
    },
    async decode(request) {
      await session.run({ write_operation: { input: decodePlan(options, request), source: 'delta', path: options.uri(request.folder), mode: 'SAVE_MODE_ERROR_IF_EXISTS', partitioning_columns: ['outcome'], options: { compression: options.compression, maxRecordsPerFile: String(options.rowsPerFile) } } }, { action: 'decode messages', signal }).catch(asDecoderDeath)
      return collect(options, request.folder)
    },
    close: () => session.close(),
  }
}

interface Head {
  partition: number
  offset: number
  key: Uint8Array | null
  headers: string | null
  hasValue: boolean
  contentHash: number
}

function collectHeads(bytes: Uint8Array, heads: Head[]): void {
  const { rows, column } = arrowColumns(bytes)
  const [partition, offset, key, headers, hasValue, hash] = ['partition', 'offset', 'key', 'headers', 'has_value', 'hash'].map(column)
  for (let row = 0; row < rows; row += 1) {
    const value = hasValue(row) === true
    heads.push({ partition: Number(partition(row)), offset: Number(offset(row)), key: key(row) as Uint8Array | null, headers: headers(row) as string | null, hasValue: value, contentHash: value ? Number(hash(row)) | 0 : 0 })
  }
}

function withSources(query: string, sources: Record<string, Relation>): Relation {
  return { with_relations: { root: { sql: { query } }, references: Object.entries(sources).map(([alias, input]) => ({ subquery_alias: { input, alias } })) } }
}

function decodePlan(options: RangeEngineOptions, request: DecodeRequest): Relation {
  const { own, rare, format } = options
  const quoted = { separator: literal(format.separator), nullField: literal(format.nullField) }
  const row = `ROW FORMAT DELIMITED FIELDS TERMINATED BY ${quoted.separator} NULL DEFINED AS ${quoted.nullField}`
  const sources: Record<string, Relation> = { src: kafkaRange(options.source, request.ranges) }
  if (request.verdicts.length > 0) sources.verdicts = { local_relation: { data: verdictTable(request.verdicts) } }
  const verdict = request.verdicts.length > 0 ? 'v.verdict' : 'CAST(NULL AS STRING)'
  const join = request.verdicts.length > 0 ? ' LEFT JOIN (SELECT /*+ BROADCAST */ * FROM verdicts) v ON src.partition = v.v_partition AND src.offset = v.v_offset' : ''
  const input = `src.partition, src.offset, unix_millis(src.timestamp), base64(src.key), base64(src.value), IF(size(src.headers) > 0, to_json(src.headers), NULL), ${verdict}`
  const fields = [...own.map((column) => `${name(column.name)} ${lineType(column)}`), 'rare STRING']
  const lines = `SELECT TRANSFORM(${input}) ${row} USING ${literal(options.decoder(request.poison))} AS (outcome STRING, ${fields.join(', ')}) ${row} FROM src${join}`
  const expressions = new Map(own.map((column) => [column.name, fieldExpression(column, name(column.name), format.encodedMark)]))
  rare.forEach((column, i) => expressions.set(column.name, fieldExpression(column, `nullif(split(rare, ${literal(format.rareSeparator)})[${i}], ${quoted.nullField})`, format.encodedMark)))
  for (const column of options.derived) expressions.set(column.name, 'sameAs' in column ? (expressions.get(column.sameAs) as string) : constant(column.name === 'ingest_time' ? request.ingestTime : column.value === null ? null : String(column.value), column.type))
  const selected = options.order.flatMap((column) => (expressions.has(column) ? [`${expressions.get(column)} AS ${name(column)}`] : []))
  return withSources(`SELECT outcome, ${selected.join(', ')} FROM (${lines})`, sources)
}

function verdictTable(verdicts: Verdict[]): Uint8Array {
  const text = (one: Verdict): string => `${one.sighting[0]}${one.known.join(',')}`
  return arrowTable({ v_partition: Int32Array.from(verdicts, (one) => one.partition), v_offset: BigInt64Array.from(verdicts, (one) => BigInt(one.offset)), verdict: verdicts.map(text) })
}

/** A decoder that ends without a word was killed by a message, by the system, or by its limit of memory: the caller narrows it down. */
function asDecoderDeath(error: unknown): never {
  const reason = error instanceof HeadraceError ? String(error.params.reason ?? '') : ''
  const status = /Subprocess exited with status (\d+)/.exec(reason)
  if (status === null) throw error
  // 127: the shell found no such command.
  if (status[1] === '126' || status[1] === '127') throw failure('spark_decoder_missing', { reason: reason.slice(0, 300) }, error)
  throw failure('decoder_crashed', { reason: reason.slice(0, 300) }, error)
}

interface Report {
  counts: Counts
  newestMs: number
  discovered: string[]
}

async function collect(options: RangeEngineOptions, folder: string): Promise<DecodedRange> {
  const entry = await options.read(`${folder}/${STAGING_ENTRY}`)
  if (entry === undefined) throw failure('internal', { reason: `Spark left no log entry in ${folder}` })
  const found = stagedFiles(entry)
  const decoded: DecodedRange = { files: [], counts: emptyCounts(), newestMs: 0, discovered: [] }
  for (const file of found) {
    const path = `${folder}/${decodeURIComponent(file.path)}`
    if (file.partitionValues.outcome !== 'report') {
      decoded.files.push({ ...file, path })
      continue
    }
    const bytes = await options.read(path)
    for (const text of bytes === undefined ? [] : await readTexts(bytes, 'reject_reason')) {
      const report = JSON.parse(text) as Report
      addCounts(decoded.counts, report.counts)
      decoded.newestMs = Math.max(decoded.newestMs, report.newestMs)
      decoded.discovered.push(...report.discovered)
    }
    await options.remove(path)
  }
  await options.remove(`${folder}/${STAGING_ENTRY}`)
  checkRows(decoded)
  return decoded
}

const rowsIn = (files: DataFile[], outcome: string): number => files.filter((file) => file.partitionValues.outcome === outcome).reduce((sum, file) => sum + (JSON.parse(file.stats) as { numRecords: number }).numRecords, 0)

/** What Spark wrote and what the decoders counted must agree before anything is committed. */
function checkRows({ files, counts }: DecodedRange): void {
  const [accepted, quarantined] = [rowsIn(files, 'accepted'), rowsIn(files, 'quarantined')]
  if (accepted !== counts.accepted || quarantined !== counts.quarantined + counts.notes)
    throw failure('reconcile_failed', { what: 'what Spark wrote', left: `${accepted} accepted, ${quarantined} quarantined in files`, right: `${counts.accepted} accepted, ${counts.quarantined} quarantined, ${counts.notes} notes counted` })
}
