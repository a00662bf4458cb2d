/**
 * The position of a stream in its source: from the table's marks, from a child's reports, and as text for
 * people.
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

/** Where reading continues in the partitions, and how many messages wait there: Infinity if unknown. */
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

/** The name of a dataset's folder. */
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
