/**
 * Where a stream stands in its source: by the table's marks, by what a child says, and as text for people.
 */
import { rereadMark, sourceMark } from '../core/marks.ts'
import type { Dataset } from '../dataset/declaration.ts'
import type { ChildSettings, MessagePlace } from './protocol.ts'
import type { SupervisorOptions } from './supervisor-options.ts'

export function positionsOf(options: SupervisorOptions, partitions: number[]): ChildSettings['positions'] {
  const { marks } = options.table.snapshot
  return partitions.map((partition) => ({
    partition,
    next: marks.get(sourceMark(options.topicId, partition)) ?? options.firstOffsets.get(partition) ?? 0,
    rereadUntil: marks.get(rereadMark(options.topicId, partition)) ?? 0,
  }))
}

/**
 * Where partitions are read on, and how many messages wait there by their ends: Infinity when nobody knows.
 */
export function waitingIn(
  options: SupervisorOptions,
  partitions: number[],
  ends: Map<number, number> | undefined,
): { partition: number; next: number; waiting: number }[] {
  return positionsOf(options, partitions).map(({ partition, next }) => ({
    partition,
    next,
    waiting: (ends?.get(partition) ?? Infinity) - next,
  }))
}

export function lagOf(message: {
  ends: [number, number][]
  positions: [number, number][]
}): Map<number, number> {
  const positions = new Map(message.positions)
  return new Map(
    message.ends.map(([partition, end]) => [partition, Math.max(0, end - (positions.get(partition) ?? end))]),
  )
}

/** What the folder of a dataset is called. */
export const folderOf = ({ source }: Dataset): string => (source.kind === 'files' ? source.folder : '')

export function isFolder(options: SupervisorOptions): boolean {
  return options.childSettings.dataset.source.kind === 'files'
}

export function placeNext(
  options: SupervisorOptions,
  { partition, next }: { partition: number; next: number },
): MessagePlace {
  return { partition, offset: next, ...(isFolder(options) ? { name: '' } : {}) }
}

export function positionText(
  options: SupervisorOptions,
  positions: { partition: number; next: number }[],
): string {
  const { topic } = options.childSettings
  if (isFolder(options)) return `file ${positions[0].next + 1} of ${topic}`
  return `${topic} ${positions
    .slice(0, 4)
    .map(({ partition, next }) => `partition ${partition} offset ${next}`)
    .join(', ')}${positions.length > 4 ? ', ...' : ''}`
}
