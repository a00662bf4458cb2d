/**
 * What upkeep would do to the files of a table: which ones to merge, which ones have expired. It only
 * decides; it touches nothing.
 */

/** A data file as the log states it. */
export interface KnownFile {
  path: string
  size: number
  /** Undefined: a foreign writer left no statistics. */
  rows: number | undefined
  partitionValues: Record<string, string | null>
}

export interface CompactionTarget {
  /** Bytes of a full file. */
  fileBytes: number
  rowsPerFile: number
}

/** Files that are this full stay as they are: merging them again would write much and gain little. */
const FULL = 0.6

/** Fewer files are not worth a commit: each round would rewrite the last, half-full file. */
const LEAST_FILES = 4

/**
 * Groups of files that become one file each: of one table partition, neighbors in the log (so order is kept,
 * and merged files hold one stretch of offsets), together no larger than the target. Each file is in at most
 * one group.
 */
export function compactionGroups(files: KnownFile[], target: CompactionTarget): KnownFile[][] {
  const groups: KnownFile[][] = []
  for (const small of Map.groupBy(
    files.filter((file) => !isFull(file, target)),
    (file) => JSON.stringify(file.partitionValues),
  ).values()) {
    let group: KnownFile[] = []
    for (const file of small) {
      if (group.length > 0 && !fitsTarget([...group, file], target)) {
        groups.push(group)
        group = []
      }
      group.push(file)
    }
    groups.push(group)
  }
  return groups.filter(
    (group) => group.length >= LEAST_FILES || (group.length > 1 && isFull(merged(group), target)),
  )
}

/** Files that one commit moves. */
const MOVED_TOGETHER = 100

/**
 * Files where older versions put them, in groups that move together: in the order of the log, unchanged, and
 * no more than one run may copy. The first file moves however large it is.
 */
export function moveGroups<F extends KnownFile>(files: F[], most: { files: number; bytes: number }): F[][] {
  const groups: F[][] = []
  let [count, bytes] = [0, 0]
  for (const file of files) {
    if (count > 0 && (count === most.files || bytes + file.size > most.bytes)) return groups
    if (count % MOVED_TOGETHER === 0) groups.push([])
    groups[groups.length - 1].push(file)
    count += 1
    bytes += file.size
  }
  return groups
}

function isFull(file: { size: number; rows: number | undefined }, target: CompactionTarget): boolean {
  return file.size >= target.fileBytes * FULL || (file.rows ?? 0) >= target.rowsPerFile * FULL
}

function fitsTarget(group: KnownFile[], target: CompactionTarget): boolean {
  const { size, rows } = merged(group)
  return size <= target.fileBytes && rows <= target.rowsPerFile
}

function merged(group: KnownFile[]): { size: number; rows: number } {
  return {
    size: group.reduce((sum, file) => sum + file.size, 0),
    rows: group.reduce((sum, file) => sum + (file.rows ?? 0), 0),
  }
}

/** RAW files of days before `keepFromDate` (`2026-11-01`) that no reader needs any more. */
export function expiredFiles<F extends Pick<KnownFile, 'partitionValues'>>(
  files: F[],
  keepFromDate: string,
  needed: (file: F) => boolean,
): { expired: F[]; waiting: F[] } {
  const old = files.filter((file) => (file.partitionValues.ingest_date ?? '9999') < keepFromDate)
  return { expired: old.filter((file) => !needed(file)), waiting: old.filter(needed) }
}

/** The first day to keep, in the form of RAW's ingest_date. Days are UTC, as in RAW. */
export function keepFrom(nowMs: number, retentionDays: number): string {
  return new Date(nowMs - retentionDays * 86_400_000).toISOString().slice(0, 10)
}

/** A file of a table's folder, as vacuum sees it. */
export interface StoredFile {
  path: string
  size: number
  modifiedMs: number
}

export interface VacuumFacts {
  /** Files of the newest version. */
  live: (path: string) => boolean
  /** When the log removed it. Undefined if the log does not know the file. */
  removedMs: (path: string) => number | undefined
  /** A consumer has not read it yet. */
  needed: (path: string) => boolean
  /** Younger files may be needed by readers of older versions and by writers of a batch. */
  beforeMs: number
}

/**
 * Files that no reader, writer or consumer can need: removed or never committed, and older than the grace
 * period.
 */
export function deadFiles(files: StoredFile[], facts: VacuumFacts): StoredFile[] {
  return files.filter(
    (file) =>
      !facts.live(file.path) &&
      !facts.needed(file.path) &&
      file.modifiedMs < facts.beforeMs &&
      (facts.removedMs(file.path) ?? 0) < facts.beforeMs,
  )
}
