/** Wires and runs a stream job over a watched folder. */
import { failure } from '../core/errors.ts'
import { sourceMark } from '../core/marks.ts'
import type { StreamSummary } from '../core/results.ts'
import { createFolder } from '../connectors/files/source.ts'
import type { LoadedDataset } from './datasets.ts'
import { openRaw } from './raw-table.ts'
import { superviseJob, type StreamRun } from './stream-settings.ts'

/** Files of one dataset are numbered in the order of their commits; the number is the offset. */
export function folderTopicId(dataset: string): string {
  return `files-${dataset}`
}

export async function runFileStream(loaded: LoadedDataset, run: StreamRun): Promise<StreamSummary> {
  const { dataset } = loaded
  if (dataset.source.kind !== 'files') throw failure('internal', { reason: 'not a folder dataset' })
  const { source } = dataset
  await createFolder(source.path, source.pattern, 0, Date.now).list()
  const raw = await openRaw(dataset, loaded.rawPath, Date.now(), loaded.processedPath)
  const topicId = folderTopicId(dataset.name)
  const mark = sourceMark(topicId, 0)
  if (!raw.table.snapshot.marks.has(mark))
    await raw.table.commit(
      {
        operation: 'SET OFFSETS',
        adds: [],
        removes: [],
        marks: { [mark]: 0 },
        expect: { [mark]: undefined },
        info: { reason: 'first start' },
      },
      Date.now(),
    )
  return superviseJob(
    loaded,
    raw,
    {
      topic: source.path,
      topicId,
      partitions: [0],
      children: 1,
      ends: async () => undefined,
      partitionsNow: async () => [0],
    },
    run,
  )
}
