/** What a supervisor of a stream is given: the table, the source, who starts children and who is told. */
import type { CommitEvent } from '../core/results.ts'
import type { CommitRequest } from '../core/commit-request.ts'
import type { ChildProcess } from './child-handle.ts'
import type { ChildSettings } from './protocol.ts'

/** The table as the supervisor needs it: main/ passes the lakehouse's. */
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
  /** Where partitions without a mark begin. */
  firstOffsets: Map<number, number>
  childSettings: Pick<
    ChildSettings,
    'dataset' | 'home' | 'rawPath' | 'archivePath' | 'topicId' | 'topic' | 'threads' | 'spark'
  >
  spawn(): ChildProcess
  /** Adds columns that drift discovered and returns how many are new; children started after it use them. */
  evolve(paths: string[]): Promise<number>
  /**
   * Ends of the partitions now: `untilCaughtUp` stops when all marks have reached them. Undefined: when
   * children are idle.
   */
  ends(): Promise<Map<number, number> | undefined>
  /** New partitions of the topic, asked from time to time. */
  partitionsNow(): Promise<number[]>
  observer: StreamObserver
  nowMs: () => number
  untilCaughtUp: boolean
  signal: AbortSignal
}
