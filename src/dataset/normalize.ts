/** Fills in every default, so that the rest of the project never asks "and if it is not given?". */
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
  processed?: {
    path?: string
    key: string[]
    keep?: 'first' | 'latest'
    latest_by?: string
    partition_by?: { column: string; transform?: PartitionField['transform']; timezone?: string }[]
    horizon_days?: number
    schedule?: string
    schedule_timezone?: string
    cluster_by?: string[]
    compression?: Compression
    gate?: { max_reject_ratio?: number }
  }
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
    record: {
      format: raw.record.format,
      path: raw.record.path ?? (raw.record.format === 'ndjson' ? '$' : ''),
      encoding: raw.record.encoding ?? '',
      delimiter: raw.record.delimiter ?? ',',
      quote: raw.record.quote ?? '"',
      header: raw.record.header ?? true,
      namespaces: raw.record.namespaces ?? {},
      ignore: raw.record.ignore ?? [],
    },
    messageId: {
      from: raw.message_id?.from ?? (raw.source.kafka ? 'key' : 'none'),
      header: raw.message_id?.header ?? '',
    },
    columns: raw.columns.map(normalizeColumn),
    rules: (raw.rules ?? []).map(normalizeRule),
    drift: raw.drift ?? 'freeze',
    dedup: { window: raw.dedup?.window ?? LIMITS.dedupWindowMessages },
    stream: {
      commitIntervalMs: raw.stream?.commit_interval_ms ?? LIMITS.commitIntervalMs,
      rowsPerFile: raw.stream?.rows_per_file ?? LIMITS.rowsPerFile,
      children: raw.stream?.children ?? 0,
    },
    raw: {
      path: raw.raw?.path ?? '',
      retentionDays: raw.raw?.retention_days ?? 30,
      archive: raw.raw?.archive ?? '',
      keepOriginal: raw.raw?.keep_original ?? false,
      clusterBy: raw.raw?.cluster_by ?? [],
      compression: raw.raw?.compression ?? 'zstd',
    },
    processed: normalizeProcessed(raw),
    engine: raw.engine ?? 'duckdb',
    spark: {
      connect: (raw.spark?.connect ?? '').replace(/^sc:\/\//, ''),
      tls: raw.spark?.tls ?? false,
      tokenFile: raw.spark?.token_file ?? '',
      master: raw.spark?.master ?? 'local[*]',
      memory: raw.spark?.memory ?? '2g',
      settings: raw.spark?.settings ?? {},
      batchMessages: raw.spark?.batch_messages ?? LIMITS.sparkBatchMessages,
      taskCommand: raw.spark?.task_command ?? '',
    },
    upkeep: {
      schedule: {
        cron: raw.upkeep?.schedule ?? '35 * * * *',
        timezone: raw.upkeep?.schedule_timezone ?? 'UTC',
      },
      fileBytes: (raw.upkeep?.file_mib ?? 128) * 1024 * 1024,
      rowsPerFile: raw.upkeep?.rows_per_file ?? LIMITS.rowsPerMergedFile,
      graceMs: (raw.upkeep?.grace_hours ?? 24) * 3_600_000,
    },
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

function normalizeProcessed(raw: RawDeclaration): Dataset['processed'] {
  const p = raw.processed
  return {
    path: p?.path ?? '',
    key: p?.key ?? [],
    keep: p?.keep ?? 'first',
    latestBy: p?.latest_by ?? 'message_time',
    partitionBy: (p?.partition_by ?? []).map((field) => ({
      column: field.column,
      transform: field.transform ?? 'identity',
      timezone: field.timezone ?? 'UTC',
      name:
        field.transform === undefined || field.transform === 'identity'
          ? field.column
          : `${field.column}_${field.transform}`,
    })),
    horizonDays: p?.horizon_days,
    schedule: { cron: p?.schedule ?? '5 * * * *', timezone: p?.schedule_timezone ?? 'UTC' },
    clusterBy: p?.cluster_by ?? [],
    compression: p?.compression ?? 'zstd',
    gate: p?.gate && { maxRejectRatio: p.gate.max_reject_ratio ?? 1 },
  }
}
