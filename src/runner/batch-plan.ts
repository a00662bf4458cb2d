/**
 * Plans what a batch reads: RAW versions after the consumer's mark, up to a limit, and rows of partitions
 * that are no longer held. It also decides which table partitions stay held, and why.
 */
import { OPERATOR_HOLD, consumerMark, heldPartitions } from '../core/marks.ts'
import type { RawSlice } from '../core/batch-engine.ts'
import type { BatchOptions, RawVersion } from './batch-options.ts'

export const CONSUMER = 'processed'

export interface Plan {
  from: number
  to: number
  slices: RawSlice[]
  /** Held partitions after this batch: name to first RAW version not published, with the reason. */
  held: Map<string, { version: number; reason: string }>
  released: string[]
  logicalMs: number
  rows: number
}

/**
 * What to read: the versions after the mark (up to a limit) and, for partitions that are no longer held, all
 * versions since they were held.
 */
export async function makePlan(options: BatchOptions): Promise<Plan | undefined> {
  const { marks } = options.table.snapshot
  const mark = marks.get(consumerMark(CONSUMER)) ?? -1
  const held = heldPartitions(marks)
  const operatorHolds = new Set(
    [...marks]
      .filter(([name, on]) => name.startsWith(OPERATOR_HOLD) && on === 1)
      .map(([name]) => name.slice(OPERATOR_HOLD.length)),
  )
  const waiting = await options.rawVersions(mark)
  const taken = bounded(waiting, options.rowsPerBatch)
  const fresh = taken.flatMap((version) => version.files)
  const released = [...held.keys()].filter((name) => !operatorHolds.has(name))
  if (fresh.length === 0 && released.length === 0) return undefined
  const to = taken.at(-1)?.version ?? mark
  const base = {
    from: mark,
    to,
    released,
    logicalMs: Math.max(0, ...taken.map((version) => version.timestampMs)) || options.nowMs(),
  }
  const stays = await holds(options, taken, operatorHolds, (name) => held.get(name) ?? mark + 1)
  const slices: RawSlice[] = []
  for (const name of released) {
    if (stays.has(name)) continue
    const old = (await options.rawVersions((held.get(name) as number) - 1)).filter(
      (version) => version.version <= mark,
    )
    slices.push(
      sliceOf(
        old.flatMap((version) => version.files),
        [name],
        [],
      ),
    )
  }
  slices.push(sliceOf(fresh, undefined, [...stays.keys()]))
  const used = slices.filter((slice) => slice.files.length > 0)
  return {
    ...base,
    slices: used,
    held: stays,
    rows: used.reduce((sum, slice) => sum + slice.rows.reduce((a, b) => a + b, 0), 0),
  }
}

function sliceOf(
  files: { path: string; rows: number }[],
  only: string[] | undefined,
  except: string[],
): RawSlice {
  return {
    files: files.map((file) => file.path),
    rows: files.map((file) => file.rows),
    onlyPartitions: only,
    exceptPartitions: except,
  }
}

/** The oldest versions that fit into one batch; at least one that has rows. */
function bounded(versions: RawVersion[], rowsPerBatch: number): RawVersion[] {
  let rows = 0
  const end = versions.findIndex((version) => {
    const more = version.files.reduce((sum, file) => sum + file.rows, 0)
    const full = rows > 0 && rows + more > rowsPerBatch
    rows += more
    return full
  })
  return end < 0 ? versions : versions.slice(0, end)
}

/**
 * Partitions that stay held after this batch: by an operator, or because their new rows fail the gate.
 * `heldSince`: the first version that a partition lacks.
 */
async function holds(
  options: BatchOptions,
  taken: RawVersion[],
  operatorHolds: Set<string>,
  heldSince: (name: string) => number,
): Promise<Plan['held']> {
  const stays: Plan['held'] = new Map()
  for (const name of operatorHolds)
    stays.set(name, { version: heldSince(name), reason: 'held by an operator' })
  if (options.dataset.processed.gate === undefined) return stays
  const files = taken.flatMap((version) => version.files)
  const counts =
    files.length === 0
      ? new Map<string, number>()
      : await options.engine.countPartitions(
          [sliceOf(files, undefined, [])],
          options.dataset.processed.partitionBy,
        )
  const accepted = taken.reduce((sum, version) => sum + version.accepted, 0)
  const quarantined = taken.reduce((sum, version) => sum + version.quarantined, 0)
  for (const [name, rows] of counts) {
    const reason = options.gate(name, { rows, accepted, quarantined })
    if (reason !== undefined && !stays.has(name)) stays.set(name, { version: heldSince(name), reason })
  }
  return stays
}
