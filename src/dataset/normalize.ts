/** Fills in every default, so that no other code has to handle missing settings. */
import { LIMITS } from '../core/limits.ts'
import type {
  Column,
  Dataset,
  EngineName,
  FilesSourceSpec,
  KafkaSourceSpec,
  PartitionField,
  RecordFormat,
  Rule,
  ScalarType,
} from './declaration.ts'

/* The form that users write, after the JSON Schema accepted it. */
export interface RawColumn {
  name: string
  path?: string
  type?: ScalarType
  precision?: number
  scale?: number
  format?: string
  timezone?: string
  required?: boolean
  values?: string[]
  pattern?: string
  min_length?: number
  max_length?: number
  trim?: boolean
  collapse?: boolean
  case?: 'keep' | 'lower' | 'upper'
  nulls?: string[]
  array?: boolean
  fields?: RawColumn[]
  description?: string
}

export interface RawRule {
  column: string
  min_value?: number | string
  max_value?: number | string
  value_set?: unknown[]
  regex?: string
  severity?: 'warn' | 'quarantine'
}

type Compression = 'zstd' | 'snappy' | 'gzip'

interface RawPartition {
  column: string
  transform?: PartitionField['transform']
  timezone?: string
}

interface RawProcessed {
  path?: string
  key: string[]
  keep?: 'first' | 'latest'
  latest_by?: string
  partition_by?: RawPartition[]
  horizon_days?: number
  schedule?: string
  schedule_timezone?: string
  cluster_by?: string[]
  compression?: Compression
  gate?: { max_reject_ratio?: number }
}

export interface RawDeclaration {
  dataset: string
  description?: string
  source: {
    kafka?: {
      brokers: string[]
      topic: string
      start?: 'earliest' | 'latest'
      tls?: { ca?: string; verify?: boolean }
      sasl?: {
        mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
        username: string
        password_file: string
      }
    }
    files?: { path: string; pattern?: string }
  }
  record: {
    format: RecordFormat
    path?: string
    encoding?: string
    delimiter?: string
    quote?: string
    header?: boolean
    namespaces?: Record<string, string>
    ignore?: string[]
  }
  message_id?: { from: 'key' | 'header' | 'none'; header?: string }
  columns: RawColumn[]
  rules?: Record<string, RawRule>[]
  drift?: Dataset['drift']
  dedup?: { window?: number }
  stream?: { commit_interval_ms?: number; rows_per_file?: number; children?: number }
  raw?: {
    path?: string
    retention_days?: number
    archive?: string
    keep_original?: boolean
    cluster_by?: string[]
    compression?: Compression
  }
  processed?: RawProcessed
  engine?: EngineName
  spark?: {
    connect?: string
    tls?: boolean
    token_file?: string
    master?: string
    memory?: string
    settings?: Record<string, string>
    batch_messages?: number
    task_command?: string
  }
  upkeep?: {
    schedule?: string
    schedule_timezone?: string
    file_mib?: number
    rows_per_file?: number
    grace_hours?: number
  }
}

export function normalize(raw: RawDeclaration): Dataset {
  return {
    name: raw.dataset,
    description: raw.description ?? '',
    source: normalizeSource(raw),
    record: normalizeRecord(raw.record),
    messageId: {
      from: raw.message_id?.from ?? (raw.source.kafka ? 'key' : 'none'),
      header: raw.message_id?.header ?? '',
    },
    columns: raw.columns.map(normalizeColumn),
    rules: (raw.rules ?? []).map(normalizeRule),
    drift: raw.drift ?? 'freeze',
    dedup: { window: raw.dedup?.window ?? LIMITS.dedupWindowMessages },
    stream: normalizeStream(raw.stream),
    raw: normalizeRaw(raw.raw),
    processed: normalizeProcessed(raw.processed),
    engine: raw.engine ?? 'duckdb',
    spark: normalizeSpark(raw.spark),
    upkeep: normalizeUpkeep(raw.upkeep),
  }
}

function normalizeRecord(record: RawDeclaration['record']): Dataset['record'] {
  return {
    format: record.format,
    path: record.path ?? (record.format === 'ndjson' ? '$' : ''),
    encoding: record.encoding ?? '',
    delimiter: record.delimiter ?? ',',
    quote: record.quote ?? '"',
    header: record.header ?? true,
    namespaces: record.namespaces ?? {},
    ignore: record.ignore ?? [],
  }
}

function normalizeStream(stream: RawDeclaration['stream'] = {}): Dataset['stream'] {
  return {
    commitIntervalMs: stream.commit_interval_ms ?? LIMITS.commitIntervalMs,
    rowsPerFile: stream.rows_per_file ?? LIMITS.rowsPerFile,
    children: stream.children ?? 0,
  }
}

function normalizeRaw(zone: RawDeclaration['raw'] = {}): Dataset['raw'] {
  return {
    path: zone.path ?? '',
    retentionDays: zone.retention_days ?? 30,
    archive: zone.archive ?? '',
    keepOriginal: zone.keep_original ?? false,
    clusterBy: zone.cluster_by ?? [],
    compression: zone.compression ?? 'zstd',
  }
}

function normalizeSpark(spark: RawDeclaration['spark'] = {}): Dataset['spark'] {
  return {
    connect: (spark.connect ?? '').replace(/^sc:\/\//, ''),
    tls: spark.tls ?? false,
    tokenFile: spark.token_file ?? '',
    master: spark.master ?? 'local[*]',
    memory: spark.memory ?? '2g',
    settings: spark.settings ?? {},
    batchMessages: spark.batch_messages ?? LIMITS.sparkBatchMessages,
    taskCommand: spark.task_command ?? '',
  }
}

function normalizeUpkeep(upkeep: RawDeclaration['upkeep'] = {}): Dataset['upkeep'] {
  return {
    schedule: { cron: upkeep.schedule ?? '35 * * * *', timezone: upkeep.schedule_timezone ?? 'UTC' },
    fileBytes: (upkeep.file_mib ?? 128) * 1024 * 1024,
    rowsPerFile: upkeep.rows_per_file ?? LIMITS.rowsPerMergedFile,
    graceMs: (upkeep.grace_hours ?? 24) * 3_600_000,
  }
}

function normalizeSource(raw: RawDeclaration): KafkaSourceSpec | FilesSourceSpec {
  const { kafka, files } = raw.source
  if (kafka !== undefined)
    return {
      kind: 'kafka',
      brokers: kafka.brokers,
      topic: kafka.topic,
      start: kafka.start ?? 'earliest',
      tls: kafka.tls && { ca: kafka.tls.ca, verify: kafka.tls.verify ?? true },
      sasl: kafka.sasl && {
        mechanism: kafka.sasl.mechanism,
        username: kafka.sasl.username,
        passwordFile: kafka.sasl.password_file,
      },
    }
  const path = files?.path ?? ''
  return {
    kind: 'files',
    path,
    folder: nameOfFolder(path),
    pattern: files?.pattern ?? `*.${raw.record.format}{,.gz,.zst}`,
  }
}

/** `./in/` and `in` are one folder. */
const nameOfFolder = (path: string): string => {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  return `${path.startsWith('/') ? '/' : ''}${parts.join('/')}`
}

export function normalizeColumn(raw: RawColumn): Column {
  return {
    name: raw.name,
    path: raw.path ?? raw.name,
    type: raw.type ?? 'string',
    precision: raw.precision ?? 0,
    scale: raw.scale ?? 0,
    format: raw.format ?? 'iso',
    timezone: raw.timezone ?? '',
    required: raw.required ?? false,
    values: raw.values,
    pattern: raw.pattern,
    minLength: raw.min_length,
    maxLength: raw.max_length,
    clean: {
      trim: raw.trim ?? true,
      collapse: raw.collapse ?? false,
      case: raw.case ?? 'keep',
      nulls: raw.nulls ?? [''],
    },
    array: raw.array ?? false,
    fields: raw.fields?.map(normalizeColumn),
    description: raw.description ?? '',
    evolved: false,
  }
}

function normalizeRule(raw: Record<string, RawRule>): Rule {
  const [expectation, body] = Object.entries(raw)[0]
  return {
    expectation,
    column: body.column,
    min: body.min_value,
    max: body.max_value,
    values: body.value_set?.map(String),
    regex: body.regex,
    severity: body.severity ?? 'quarantine',
  }
}

function normalizeProcessed(zone: Partial<RawProcessed> = {}): Dataset['processed'] {
  return {
    path: zone.path ?? '',
    key: zone.key ?? [],
    keep: zone.keep ?? 'first',
    latestBy: zone.latest_by ?? 'message_time',
    partitionBy: (zone.partition_by ?? []).map(normalizePartition),
    horizonDays: zone.horizon_days,
    schedule: { cron: zone.schedule ?? '5 * * * *', timezone: zone.schedule_timezone ?? 'UTC' },
    clusterBy: zone.cluster_by ?? [],
    compression: zone.compression ?? 'zstd',
    gate: zone.gate && { maxRejectRatio: zone.gate.max_reject_ratio ?? 1 },
  }
}

function normalizePartition({
  column,
  transform = 'identity',
  timezone = 'UTC',
}: RawPartition): PartitionField {
  const name = transform === 'identity' ? column : `${column}_${transform}`
  return { column, transform, timezone, name }
}
