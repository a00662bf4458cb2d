/**
 * What the CLI and the API can request. main/ implements it; no room above knows an adapter. Every method
 * throws errors of the table (core/errors.ts). Progress goes to `say`, results are returned.
 */
import type {
  BatchResult,
  CommitEvent,
  CompactResult,
  DeleteResult,
  ReprocessResult,
  RetainResult,
  StreamSummary,
  VacuumResult,
} from '../core/results.ts'
import type { CheckResult } from '../dataset/check.ts'
import type { EngineName } from '../dataset/declaration.ts'
import type { Unsupported } from '../planning/engine-support.ts'

/** The engine of one run, if it differs from the declaration. */
export interface EngineChoice {
  engine?: EngineName
  /** Starts Spark with this master. */
  master?: string
  /** Attaches to this Spark Connect server. */
  connect?: string
  tokenFile?: string
}

export interface StreamOptions {
  engine: EngineChoice
  untilCaughtUp: boolean
  /**
   * How long to wait for another run of the dataset's stream, in milliseconds. Default 0: the run is refused.
   */
  lockWaitMs?: number
  metricsPort: number | undefined
  signal: AbortSignal
  onCommit(event: CommitEvent): void
  say(text: string): void
}

export interface BatchOptions {
  engine: EngineChoice
  memoryBytes: number
  dryRun: boolean
  hold: string[]
  release: string[]
  say(text: string): void
}

export interface ProduceRequest {
  engine: EngineChoice
  dataset: string
  /** Undefined: the source of the dataset, and the folder that it watches. */
  to: 'kafka' | 'files' | undefined
  folder: string | undefined
  count: number
  ratePerSecond: number
  seed: number
  journal: string
  partitions: number
  compression: string
  shares: { duplicates: number; malformed: number; late: number; invalid: number }
  signal: AbortSignal
  progress(sent: number): void
  say(text: string): void
}

export interface TableInfo {
  name: string
  path: string
  version: number
  files: number
  rows: number
  bytes: number
  columns: { name: string; type: string; partition: boolean; description: string }[]
  marks: Record<string, number>
}

export interface VersionInfo {
  version: number
  time: string
  operation: string
  filesAdded: number
  filesRemoved: number
  rowsAdded: number
  details: Record<string, unknown>
}

export interface OffsetsInfo {
  topic: string
  topicId: string
  partitions: {
    partition: number
    next: number
    first: number
    end: number
    lagRecords: number
    lagSeconds: number | null
  }[]
}

export interface OffsetsChange {
  topic: string
  changes: { partition: number; from: number | null; to: number; reread: number; skipped: number }[]
  committed: boolean
  version: number | null
}

export interface OffsetsRequest {
  partition: number | undefined
  toOffset: number | undefined
  toTime: string | undefined
  newTopic: boolean
  dryRun: boolean
  rewindOnly: boolean
}

export interface QuarantineFilter {
  rule: string | undefined
  limit: number
}

export interface ReplayResult {
  read: number
  accepted: number
  quarantined: number
  /** Rejects without stored bytes. They stay; the file or message must come again. */
  notKept: number
  version: number | null
}

export interface UpkeepOptions {
  engine: EngineChoice
  memoryBytes: number
  /** Reports files, rows and bytes; changes nothing. */
  dryRun: boolean
  /** Retention: the first ingest date that stays, instead of raw.retention_days before today. */
  keepFrom: string | undefined
  /** Vacuum: instead of upkeep.grace_hours. */
  graceMs: number | undefined
  say(text: string): void
}

export interface DeleteOptions extends UpkeepOptions {
  /** Records by key: column to value as text. All name the same columns. */
  keys: Record<string, string>[]
  /** Stored in the log next to the hashes of the keys, as proof that the deletion was done. */
  reason: string
}

export interface ReprocessOptions extends UpkeepOptions {
  /** First and last ingest date. Undefined: unlimited. */
  from: string | undefined
  to: string | undefined
}

export interface SubmitOptions {
  job: 'stream' | 'batch'
  master?: string
  deployMode: 'client' | 'cluster'
  /** A properties file. */
  properties?: string
  executors?: number
  executorCores?: number
  executorMemory?: string
  /** Messages or rows per second for the advice. Undefined: those of the busiest measured hour. */
  rate?: number
  print: boolean
  untilCaughtUp: boolean
  signal: AbortSignal
  say(text: string): void
}

export interface SubmitResult {
  command: string
  sizing: { executors: number; coresPerExecutor: number; executorMemory: string; driverMemory: string }
  /** Null: there are no measurements yet. */
  advice: string | null
  /** Cluster mode: the command that runs the job once the application is there. */
  attach: string | null
  /** The result of the job. Null if it was not run. */
  result: Record<string, unknown> | null
}

export interface VerifyResult {
  table: string
  version: number
  files: number
  rows: number
  problems: string[]
  contentHash: string
}

export interface DatasetDraft {
  yaml: string
  /** The same as data. */
  declaration: Record<string, unknown>
  /** Records of the sample, and how many of them the draft loads. */
  records: number
  loaded: number
  /** Notes for the person who reviews the draft. */
  notes: string[]
  columns: { name: string; notes: string[] }[]
}

export interface App {
  version: string
  home: string
  /** With an engine, given or declared, it also lists what that engine cannot do. */
  checkDataset(
    path: string,
    engine: EngineChoice,
  ): Promise<CheckResult & { path: string; unsupported: Unsupported[] }>
  inferDataset(
    source: string,
    options: { name: string; brokers: string; record: string | undefined },
  ): Promise<DatasetDraft>
  produce(request: ProduceRequest): Promise<Record<string, unknown>>
  stream(dataset: string, options: StreamOptions): Promise<StreamSummary>
  batch(dataset: string, options: BatchOptions): Promise<BatchResult[]>
  /** Runs an action at each tick of the dataset's schedule for batches or upkeep, until the signal aborts. */
  atTicks(
    dataset: string,
    of: 'processed' | 'upkeep',
    options: { signal: AbortSignal; begun(schedule: string): void; action(): Promise<void> },
  ): Promise<void>
  /** Submits a Spark application sized for a job, and runs the job on it. */
  sparkSubmit(dataset: string, options: SubmitOptions): Promise<SubmitResult>
  compact(dataset: string, options: UpkeepOptions): Promise<({ table: string } & CompactResult)[]>
  retain(dataset: string, options: UpkeepOptions): Promise<RetainResult>
  vacuum(dataset: string, options: UpkeepOptions): Promise<({ table: string } & VacuumResult)[]>
  deleteRows(dataset: string, options: DeleteOptions): Promise<({ table: string } & DeleteResult)[]>
  reprocess(dataset: string, options: ReprocessOptions): Promise<ReprocessResult>
  listTables(): Promise<TableInfo[]>
  showTable(table: string, version: number | undefined): Promise<TableInfo>
  tableVersions(table: string, limit: number): Promise<VersionInfo[]>
  tableFiles(table: string, version: number | undefined): Promise<Record<string, unknown>[]>
  query(table: string, sql: string, version: number | undefined): Promise<Record<string, unknown>[]>
  verify(table: string): Promise<VerifyResult>
  register(table: string, kind: 'trino' | 'hive' | 'glue' | 'spark' | 'duckdb'): Promise<string>
  offsets(dataset: string): Promise<OffsetsInfo>
  setOffsets(dataset: string, request: OffsetsRequest): Promise<OffsetsChange>
  listQuarantine(dataset: string, filter: QuarantineFilter): Promise<Record<string, unknown>[]>
  showQuarantined(dataset: string, position: string): Promise<Record<string, unknown>>
  exportQuarantine(
    dataset: string,
    folder: string,
    filter: QuarantineFilter,
  ): Promise<{ files: number; folder: string }>
  replayQuarantine(
    dataset: string,
    options: { rule: string | undefined; dryRun: boolean },
  ): Promise<ReplayResult>
}
