/**
 * What goes to the child that runs an execution, and what it says. By IPC only: secrets are never in
 * arguments or environment.
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
  /** The job's position (job-position.ts), as it is kept; for who reads the source, its own. */
  cursor: unknown
  /**
   * The job's last execution that succeeded, or what an id as old as the job begins with: what was published
   * after it, the database does not know.
   */
  knownUntil: string
  /** A draft: on a sample, into a scratch folder. */
  draft: boolean
  /** Into the zones without a schedule: reads until it is told to stop. */
  continuous: boolean
  estimatedMinutes: number
  memoryBytes: number
  threads: number
  /** A folder of its own, removed afterwards. */
  workFolder: string
  /** What relative paths of the tenant are relative to, and where absolute ones must lie. */
  tenantFolder: string
  scratchFolder: string
  allowedPaths: string[]
  /** Closed whatever is allowed, but for the tenant's folder. */
  closedPaths: string[]
}

export interface Receipt {
  rows: number
  rejected: number
  bytes_read: number
  bytes_written: number
  /** Without start-up: from the first byte to the file being durable. */
  work_seconds: number
  startup_seconds: number
  output: string[]
  /** Of a table: parts that an earlier attempt had read. */
  parts_kept?: number
  /** Of a draft: how much of the whole the sample is, and what the estimate gives for it. */
  sample_share?: number
  estimated_seconds?: number
  /**
   * Into the zones: messages (files) read, what came twice, RAW's version at the end, rows of Processed, and
   * how old the newest message ever was when readers saw it.
   */
  messages?: number
  duplicates?: number
  raw_version?: number
  published_rows?: number
  worst_freshness_seconds?: number
}

/** How an execution ended: `cursor` is the position where the job's next one goes on. */
export interface Outcome {
  receipt: Receipt
  cursor?: unknown
}

/**
 * Tells how far it is; `freshnessMs` of a stream: the age of the newest message when readers could see it.
 */
export type Progress = (rows: number, bytes: number, phase: string, freshnessMs?: number) => void

export type FromChild =
  | { type: 'progress'; rows: number; bytes: number; phase: string; freshnessMs?: number }
  | { type: 'done'; receipt: Receipt; cursor?: unknown; cpuMicros: number }
  | { type: 'failed'; code: string; params: Record<string, unknown>; message: string; cpuMicros: number }

export type ToExecution =
  | { type: 'run'; work: Work }
  /** Publish what RAW has, beside a stream that goes on. */
  | { type: 'batch'; work: Work }
  /** End after a commit. */
  | { type: 'stop' }
