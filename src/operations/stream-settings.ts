/** The settings that every stream job gives its supervisor, whatever its source. */
import type { StreamSummary } from '../core/results.ts'
import type { ChildProcess } from '../runner/child-handle.ts'
import type { SparkAddress } from '../runner/protocol.ts'
import { superviseStream } from '../runner/stream-supervisor.ts'
import type { StreamObserver, SupervisorOptions } from '../runner/supervisor-options.ts'
import type { LoadedDataset } from './datasets.ts'
import { evolveRaw, type RawTable } from './raw-table.ts'

export interface StreamRun {
  spawn(): ChildProcess
  /** The server on which children work. Undefined: they do the work themselves. */
  spark: SparkAddress | undefined
  untilCaughtUp: boolean
  signal: AbortSignal
  observer: StreamObserver & { evolved(names: string[]): void }
}

/** The source, as the supervisor sees it. A folder is one topic with one partition. */
export type StreamedSource = Pick<
  SupervisorOptions,
  'topicId' | 'partitions' | 'children' | 'ends' | 'partitionsNow'
> & { topic: string }

export function superviseJob(
  { dataset, home, rawPath, archivePath }: LoadedDataset,
  raw: RawTable,
  source: StreamedSource,
  run: StreamRun,
): Promise<StreamSummary> {
  const { topic, ...given } = source
  return superviseStream({
    ...given,
    ...run,
    job: `stream ${dataset.name}`,
    table: raw.table,
    commitIntervalMs: dataset.stream.commitIntervalMs,
    firstOffsets: new Map(),
    childSettings: {
      dataset,
      home,
      rawPath,
      archivePath,
      topicId: source.topicId,
      topic,
      threads: 1,
      spark: run.spark,
    },
    async evolve(paths) {
      const names = await evolveRaw(dataset, raw, paths, Date.now())
      run.observer.evolved(names)
      return names.length
    },
    nowMs: Date.now,
  })
}
