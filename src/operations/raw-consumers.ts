/**
 * The consumers of RAW: how far they have read, because upkeep must not remove rows that they still need; and
 * how they are kept from using removed rows.
 */
import { consumerMark, deletionMark, heldPartitions } from '../core/marks.ts'
import type { Dataset } from '../dataset/declaration.ts'
import { openTable, type Table } from '../lakehouse/table.ts'
import { CONSUMER } from '../runner/batch-plan.ts'
import { openStore } from './stores.ts'

export interface ConsumerPositions {
  /** The RAW version up to which the batch has read. */
  read: number
  /** The RAW version up to which all rows are used. Rows that held partitions wait for are not. */
  used: number
}

/** Infinity for both if the dataset publishes nothing: then nobody waits for RAW. */
export async function consumerPositions(dataset: Dataset, processedPath: string): Promise<ConsumerPositions> {
  if (dataset.processed.key.length === 0) return { read: Infinity, used: Infinity }
  const processed = await openTable(await openStore(processedPath))
  if (processed === undefined) return { read: -1, used: -1 }
  const { marks } = processed.snapshot
  const read = marks.get(consumerMark(CONSUMER)) ?? -1
  return { read, used: Math.min(read, ...[...heldPartitions(marks).values()].map((version) => version - 1)) }
}

/**
 * Marks for a commit to Processed that removes published rows. Batches that read RAW before it find these
 * marks moved, and plan again.
 */
export function fenceBatches({ snapshot: { marks } }: Table): {
  marks: Record<string, number>
  expect: Record<string, number | undefined>
} {
  const [mark, consumer] = [deletionMark(), consumerMark(CONSUMER)]
  return {
    marks: { [mark]: (marks.get(mark) ?? 0) + 1 },
    expect: { [mark]: marks.get(mark), [consumer]: marks.get(consumer) },
  }
}
