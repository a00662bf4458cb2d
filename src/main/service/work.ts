/** What goes to the child that runs an execution, and what it says. By IPC only: secrets are never in arguments or environment. */
export interface Work {
  executionId: string
  tenantId: string
  sourceType: string
  source: Record<string, unknown>
  destination: Record<string, unknown>
  sourceSecret: Record<string, string> | undefined
  destinationSecret: Record<string, string> | undefined
  cursor: unknown
  /** A draft: on a sample, into a scratch folder. */
  draft: boolean
  estimatedMinutes: number
  memoryBytes: number
  threads: number
  /** A folder of its own, removed afterwards. */
  workFolder: string
  /** What relative paths of the tenant are relative to, and where absolute ones must lie. */
  tenantFolder: string
  scratchFolder: string
  allowedPaths: string[]
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
  /** Of a draft: how much of the whole the sample is, and what the estimate gives for it. */
  sample_share?: number
  estimated_seconds?: number
}

export type FromChild =
  | { type: 'progress'; rows: number; bytes: number; phase: string }
  | { type: 'done'; receipt: Receipt; cursor?: unknown; cpuMicros: number }
  | { type: 'failed'; code: string; params: Record<string, unknown>; message: string; cpuMicros: number }

export interface ToExecution {
  type: 'run'
  work: Work
}
