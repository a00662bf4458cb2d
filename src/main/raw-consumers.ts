/** How far the consumers of RAW have come: upkeep takes nothing from them that they have not used. */
import { consumerMark, heldPartitions } from '../core/marks.ts'
import type { Dataset } from '../dataset/declaration.ts'
import { createLocalStore } from '../lakehouse/stores/local.ts'
import { openTable } from '../lakehouse/table.ts'
import { CONSUMER } from '../runner/batch-plan.ts'

export interface ConsumerPositions {
  /** RAW version up to which the batch has read. */
  read: number
  /** RAW version up to which all rows are used: what held partitions wait for is not. */
  used: number
}

/** Infinity for both when the dataset publishes nothing: then nobody waits for RAW. */
export async function consumerPositions(dataset: Dataset, processedPath: string): Promise<ConsumerPositions> {
  if (dataset.processed.key.length === 0) return { read: Infinity, used: Infinity }
  const processed = await openTable(createLocalStore(processedPath))
  if (processed === undefined) return { read: -1, used: -1 }
  const { marks } = processed.snapshot
  const read = marks.get(consumerMark(CONSUMER)) ?? -1
  return { read, used: Math.min(read, ...[...heldPartitions(marks).values()].map((version) => version - 1)) }
}

export async function usedByConsumers(dataset: Dataset, processedPath: string): Promise<number> {
  return (await consumerPositions(dataset, processedPath)).used
}
