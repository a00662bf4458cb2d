/**
 * A dataset: one declaration of where data comes from, what a record looks like, what is checked and where it
 * lands. This is the form after parsing, with every default filled in; `schema.ts` is the form that users
 * write.
 */
import { ENGINE_COLUMNS } from '../core/added-columns.ts'
import { ORIGIN_COLUMNS, REJECT_COLUMNS } from '../core/raw-columns.ts'
import type { Schedule } from './schedule.ts'

export type ScalarType =
  | 'string'
  | 'uuid'
  | 'integer'
  | 'long'
  | 'double'
  | 'decimal'
  | 'boolean'
  | 'date'
  | 'timestamp'

export interface ColumnFormat {
  trim: boolean
  collapse: boolean
  case: 'keep' | 'lower' | 'upper'
  /** Texts that mean null, compared after trimming. */
  nulls: string[]
}

export interface Column {
  name: string
  path: string
  type: ScalarType
  /** decimal only. */
  precision: number
  scale: number
  /** date and timestamp: pattern of letters (yyyy MM dd HH mm ss SSS XXX), or `iso`. */
  format: string
  /** For a timestamp without an offset in the text: its time zone. */
  timezone: string
  required: boolean
  /** The set of allowed texts (enum). */
  values: string[] | undefined
  pattern: string | undefined
  minLength: number | undefined
  maxLength: number | undefined
  clean: ColumnFormat
  array: boolean
  /** Sub-fields of an array of objects. */
  fields: Column[] | undefined
  description: string
  /** Added by drift, not by the declaration. */
  evolved: boolean
}

export interface Rule {
  /** The name in Great Expectations. */
  expectation: string
  column: string
  min: number | string | undefined
  max: number | string | undefined
  values: string[] | undefined
  regex: string | undefined
  severity: 'warn' | 'quarantine'
}

export interface KafkaSourceSpec {
  kind: 'kafka'
  brokers: string[]
  topic: string
  start: 'earliest' | 'latest'
  tls: { ca: string | undefined; verify: boolean } | undefined
  sasl:
    | { mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; username: string; passwordFile: string }
    | undefined
}

export interface FilesSourceSpec {
  kind: 'files'
  path: string
  /** The declared path: the identity of the folder, wherever its home lies. */
  folder: string
  pattern: string
}

export interface PartitionField {
  column: string
  transform: 'identity' | 'year' | 'month' | 'day'
  timezone: string
  /** Name of the table's partition column. */
  name: string
}

export type EngineName = 'duckdb' | 'spark'

/**
 * Where Spark runs, and how it is used. Set either `connect` or `master`: attach to a server, or start one
 * for the job.
 */
export interface SparkSpec {
  /** `host:port` of a Spark Connect server elsewhere. Empty: a server is started on this machine. */
  connect: string
  tls: boolean
  /** File with the token that the server requires. Empty: none. */
  tokenFile: string
  /**
   * Where the work of the started server runs: local[n] inside it, or spark://host:port on a standalone
   * cluster.
   */
  master: string
  /** Heap of the started server, in Java's notation: 2g. */
  memory: string
  /** More settings of the started server. */
  settings: Record<string, string>
  batchMessages: number
  /** Shell command that runs a task on the executors. Empty: that of this installation. */
  taskCommand: string
}

export type Drift = 'evolve' | 'freeze' | 'discard_row' | 'discard_value'

export type RecordFormat = 'xml' | 'json' | 'ndjson' | 'csv'

export interface Dataset {
  name: string
  description: string
  source: KafkaSourceSpec | FilesSourceSpec
  record: {
    format: RecordFormat
    /** XML and JSON; `$` for lines of JSON. */
    path: string
    /** Encoding of documents that do not state theirs. Empty: UTF-8, or what is detected. */
    encoding: string
    /** CSV only. */
    delimiter: string
    quote: string
    header: boolean
    namespaces: Record<string, string>
    ignore: string[]
  }
  /** The source of a message's identity: its key, a header, or none (then the dedup window is off). */
  messageId: { from: 'key' | 'header' | 'none'; header: string }
  columns: Column[]
  rules: Rule[]
  drift: Drift
  dedup: { window: number }
  stream: { commitIntervalMs: number; rowsPerFile: number; children: number }
  raw: {
    path: string
    retentionDays: number
    /** Folder of the archive table. Empty: expired rows are deleted. */
    archive: string
    keepOriginal: boolean
    clusterBy: string[]
    compression: 'zstd' | 'snappy' | 'gzip'
  }
  processed: {
    path: string
    key: string[]
    keep: 'first' | 'latest'
    /** The order of `latest`: the greatest value wins. */
    latestBy: string
    partitionBy: PartitionField[]
    horizonDays: number | undefined
    schedule: Schedule
    clusterBy: string[]
    compression: 'zstd' | 'snappy' | 'gzip'
    gate: { maxRejectRatio: number } | undefined
  }
  engine: EngineName
  spark: SparkSpec
  upkeep: { schedule: Schedule; fileBytes: number; rowsPerFile: number; graceMs: number }
}

export const RESERVED_COLUMNS: readonly string[] = [
  ...[...ORIGIN_COLUMNS, ...REJECT_COLUMNS].map((column) => column.name),
  'outcome',
  'ingest_date',
  'processed_date',
  ...ENGINE_COLUMNS,
]

/**
 * No column may have this name: programs that read rows into objects, ours among them, would lose its values.
 */
export const UNUSABLE_COLUMN = '__proto__'
