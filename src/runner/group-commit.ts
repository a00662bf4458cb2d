/** The commit of a stream: the prepared batches of all children become one entry of the table's log. */
import { randomUUID } from 'node:crypto'
import { countMark, fileMark, sourceMark } from '../core/marks.ts'
import { addCounts, emptyCounts, type Counts } from '../core/results.ts'
import { folderOf } from './positions.ts'
import type { Prepared } from './protocol.ts'
import type { SupervisorOptions } from './supervisor-options.ts'
import { whenStorageAllows } from '../core/waiting.ts'

/** The totals of what a job has committed. */
export interface Committed {
  total: Counts
  commits: number
}

/** The expected and the new marks of the source. */
function marksOf(
  options: SupervisorOptions,
  batches: Prepared[],
): { expect: Record<string, number | undefined>; next: Record<string, number> } {
  const { marks } = options.table.snapshot
  const expect: Record<string, number | undefined> = {}
  const next: Record<string, number> = {}
  for (const range of batches.flatMap((batch) => batch.ranges)) {
    const mark = sourceMark(options.topicId, range.partition)
    // A partition without a commit has no mark. Its start is then the first offset that was read.
    expect[mark] = marks.has(mark) ? range.start : undefined
    next[mark] = range.next
  }
  for (const [path, content] of batches.flatMap((batch) => Object.entries(batch.files ?? {}))) {
    const mark = fileMark(folderOf(options.childSettings.dataset), path)
    next[mark] = content
    expect[mark] = undefined
  }
  return { expect, next }
}

/**
 * Commits the batches and sums them up. Returns the table's version. Batches without ranges commit nothing.
 */
export async function commitBatches(
  options: SupervisorOptions,
  batches: Prepared[],
  state: Committed,
): Promise<number> {
  const started = options.nowMs()
  const counts = emptyCounts()
  for (const batch of batches) addCounts(counts, batch.counts)
  const adds = batches.flatMap((batch) => batch.adds)
  const ranges = batches.flatMap((batch) => batch.ranges)
  if (ranges.length === 0) return options.table.snapshot.version
  const { expect, next } = marksOf(options, batches)
  const newestMs = Math.max(...batches.map((batch) => batch.newestMs))
  const work = batches.find((batch) => batch.work !== undefined)?.work
  const info = {
    counts,
    newestMs,
    ...(work === undefined ? {} : { work: { ...work, units: counts.messages } }),
  }
  // One name for all attempts: if an answer is lost, the retry does not commit twice.
  const id = randomUUID()
  const commit = (): Promise<number> =>
    options.table.commit(
      {
        id,
        operation: 'STREAMING UPDATE',
        adds,
        removes: [],
        marks: next,
        counts: totals(counts),
        expect,
        info,
      },
      options.nowMs(),
    )
  const version = await whenStorageAllows(commit, options.signal, (error) => options.observer.trouble(error))
  addCounts(state.total, counts)
  state.commits += 1
  const now = options.nowMs()
  options.observer.committed({
    version,
    counts,
    files: adds.length,
    bytes: adds.reduce((sum, file) => sum + file.size, 0),
    durationMs: now - started,
    freshnessMs: newestMs > 0 ? Math.max(0, now - newestMs) : 0,
  })
  return version
}

/**
 * The increments of running totals. They are marks, so they survive log clean-up. Others change them, too,
 * such as a replay of the quarantine.
 */
function totals(counts: Counts): Record<string, number> {
  const names = ['read', 'accepted', 'duplicate', 'quarantined'] as const
  return Object.fromEntries(names.map((name) => [countMark(name), counts[name]]))
}
