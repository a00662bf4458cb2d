/** An operator's holds and releases of table partitions: marks of Processed. */
import { failure } from '../core/errors.ts'
import { OPERATOR_HOLD, consumerMark, heldMark } from '../core/marks.ts'
import { openTable } from '../lakehouse/table.ts'
import type { LoadedDataset } from './datasets.ts'
import { openStore } from './stores.ts'

export async function setHolds(loaded: LoadedDataset, hold: string[], release: string[]): Promise<void> {
  const raw = await openTable(await openStore(loaded.rawPath))
  if (raw === undefined) throw failure('table_not_found', { path: loaded.rawPath })
  const { openProcessed } = await import('./batch.ts')
  const { table } = await openProcessed(loaded.dataset, loaded.processedPath, raw)
  const mark = table.snapshot.marks.get(consumerMark('processed')) ?? -1
  const marks: Record<string, number> = {}
  for (const partition of hold) {
    marks[OPERATOR_HOLD + partition] = 1
    const known = table.snapshot.marks.get(heldMark(partition)) ?? -1
    if (known < 0) marks[heldMark(partition)] = mark + 1
  }
  for (const partition of release) marks[OPERATOR_HOLD + partition] = 0
  await table.commit(
    { operation: 'HOLD PARTITIONS', adds: [], removes: [], marks, expect: {}, info: { hold, release } },
    Date.now(),
  )
}
