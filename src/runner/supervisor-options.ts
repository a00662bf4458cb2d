/** The input of a stream's supervisor: the table, the source, how to start children, and callbacks. */
import type { CommitEvent } from '../core/results.ts'
import type { CommitRequest } from '../core/commit-request.ts'
import type { ChildProcess } from './child-handle.ts'
import type { ChildSettings } from './protocol.ts'

/** The table as the supervisor needs it. main/ passes that of the lakehouse. */
export interface StreamTable {
  readonly snapshot: { version: number; marks: ReadonlyMap<string, number> }
  refresh(): Promise<unknown>
  commit(request: CommitRequest, nowMs: number): Promise<number>
}

export interface StreamObserver {
  committed(event: CommitEvent): void
  alive(event: {
    rssBytes: number
    lag: Map<number, number>
    windowBytes: number
    windowMessages: number
  }): void
  trouble(event: { code: string; message: string }): void
  childDied(event: { reason: string; deaths: number }): void
}

export interface SupervisorOptions {
  job: string
  table: StreamTable
  topicId: string
  partitions: number[]
  children: number
  commitIntervalMs: number
  /** Where partitions without a mark start. */
  firstOffsets: Map<number, number>
  childSettings: Pick<
    ChildSettings,
    'dataset' | 'home' | 'rawPath' | 'archivePath' | 'topicId' | 'topic' | 'threads' | 'spark'
  >
  spawn(): ChildProcess
  /** Adds the columns that drift found, and returns how many are new. Children that start later use them. */
  evolve(paths: string[]): Promise<number>
  /**
   * The present ends of the partitions: `untilCaughtUp` stops when all marks have reached them. Undefined:
   * when the children are idle.
   */
  ends(): Promise<Map<number, number> | undefined>
  /** New partitions of the topic, checked from time to time. */
  partitionsNow(): Promise<number[]>
  observer: StreamObserver
  nowMs: () => number
  untilCaughtUp: boolean
  signal: AbortSignal
}
