/** What jobs report: the same numbers for people, for machines and for metrics. */

/** Records by outcome: read = accepted + duplicate + quarantined, at every commit. */
export interface Counts {
  read: number
  accepted: number
  duplicate: number
  quarantined: number
  /** Values dropped or warned about in accepted records. */
  notes: number
  messages: number
  bytes: number
  byReason: Record<string, number>
}

export interface CommitEvent {
  version: number
  counts: Counts
  files: number
  bytes: number
  durationMs: number
  /** Age of the newest message when readers can see it, by the message's own clock; 0 without messages. */
  freshnessMs: number
}

export interface StreamSummary {
  counts: Counts
  commits: number
  version: number
}

/** What one batch did. */
export interface BatchResult {
  /** `published`: the batch committed; `nothing_new`; `taken`: another run published the same range first. */
  state: 'published' | 'nothing_new' | 'taken' | 'planned'
  version: number
  fromVersion: number
  toVersion: number
  rowsRead: number
  duplicatesInDelta: number
  duplicatesPublished: number
  published: number
  /** For keep: latest: rows that replaced an older published one. */
  replaced: number
  partitions: Record<string, number>
  held: Record<string, string>
  files: number
  bytes: number
  seconds: number
}

export function emptyCounts(): Counts {
  return { read: 0, accepted: 0, duplicate: 0, quarantined: 0, notes: 0, messages: 0, bytes: 0, byReason: {} }
}

export function addCounts(into: Counts, more: Counts): void {
  for (const key of ['read', 'accepted', 'duplicate', 'quarantined', 'notes', 'messages', 'bytes'] as const)
    into[key] += more[key]
  for (const [reason, count] of Object.entries(more.byReason))
    into.byReason[reason] = (into.byReason[reason] ?? 0) + count
}

export interface CompactResult {
  filesBefore: number
  filesAfter: number
  /** Rows of the merged files, and their bytes before and after. */
  rows: number
  bytesBefore: number
  bytesAfter: number
  /** Files of an older layout that were moved, unchanged, to where a writer puts them today. */
  moved: number
  /** Groups given up because another writer changed their files. */
  conflicts: number
}

export interface RetainResult {
  /** The first ingest date that stays. */
  keepFrom: string
  files: number
  rows: number
  bytes: number
  /** Files of days to retire that a consumer has not read yet, or that hold rows of a held partition. */
  waitingFiles: number
  version: number | null
}

export interface VacuumResult {
  files: number
  bytes: number
}

export interface DeleteResult {
  rows: number
  /** Files that were rewritten without these rows. */
  files: number
  bytes: number
  version: number | null
}

export interface ReprocessResult {
  /** Input that was decoded again. */
  files: number
  rows: number
  bytes: number
  /** The result: rows, and records that are wrong by the current declaration. */
  accepted: number
  quarantined: number
  /** Rows published again. */
  republished: number
  rawVersion: number | null
  processedVersion: number | null
}
