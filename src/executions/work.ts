/**
 * The messages to and from the child that runs an execution. They travel only by IPC: secrets are never in
 * arguments or the environment.
 */
export interface Work {
  executionId: string
  jobId: string
  tenantId: string
  sourceType: string
  source: Record<string, unknown>
  destination: Record<string, unknown>
  sourceSecret: Record<string, string> | undefined
  destinationSecret: Record<string, string> | undefined
  /** The stored position of the job (job-position.ts). For the reader of the source, its own position. */
  cursor: unknown
  /**
   * The job's last successful execution, or the start of an ID as old as the job. The database does not know
   * of later outputs.
   */
  knownUntil: string
  /** A draft: reads a sample, and writes to a scratch folder. */
  draft: boolean
  /** Into the zones without a schedule: reads until it is stopped. */
  continuous: boolean
  estimatedMinutes: number
  memoryBytes: number
  threads: number
  /** A private folder that is removed afterwards. */
  workFolder: string
  /** The base of the tenant's relative paths, and the allowed places for absolute ones. */
  tenantFolder: string
  scratchFolder: string
  allowedPaths: string[]
  /** Closed, whatever is allowed, except for the tenant's folder. */
  closedPaths: string[]
}

export interface Receipt {
  rows: number
  rejected: number
  bytes_read: number
  bytes_written: number
  /** Without start-up: from the first byte to the durable file. */
  work_seconds: number
  startup_seconds: number
  output: string[]
  /** For a table: parts that an earlier attempt had read. */
  parts_kept?: number
  /** For a draft: the share of the sample in the whole, and the estimate for it. */
  sample_share?: number
  estimated_seconds?: number
  /**
   * Into the zones: messages (files) read, duplicates, RAW's version at the end, rows of Processed, and the
   * greatest age of the newest message when readers saw it.
   */
  messages?: number
  duplicates?: number
  raw_version?: number
  published_rows?: number
  worst_freshness_seconds?: number
}

/** How an execution ended. `cursor`: the position where the job's next execution continues. */
export interface Outcome {
  receipt: Receipt
  cursor?: unknown
}

/** Reports progress. `freshnessMs` of a stream: the age of the newest message when readers could see it. */
export type Progress = (rows: number, bytes: number, phase: string, freshnessMs?: number) => void

export type FromChild =
  | { type: 'progress'; rows: number; bytes: number; phase: string; freshnessMs?: number }
  | { type: 'done'; receipt: Receipt; cursor?: unknown; cpuMicros: number }
  | { type: 'failed'; code: string; params: Record<string, unknown>; message: string; cpuMicros: number }

export type ToExecution =
  | { type: 'run'; work: Work }
  /** Publish the rows of RAW while a stream continues. */
  | { type: 'batch'; work: Work }
  /** End after a commit. */
  | { type: 'stop' }
