/**
 * Merged files state the highest version of RAW that their rows belong to. Compaction writes it, a rewrite
 * keeps it, retention reads it.
 */
import type { AddAction } from './actions.ts'

const TAG = 'headrace.through'

type Tags = { tags?: Record<string, string> }

/** The highest version that a merged file's rows belong to. Undefined for a file that was never merged. */
export function throughOf(file: AddAction): number | undefined {
  const tag = file.tags?.[TAG]
  return tag === undefined ? undefined : Number(tag)
}

export function markedThrough(version: number): Tags {
  return { tags: { [TAG]: String(version) } }
}

/** The tags for a file that replaces another. */
export function keptThrough(file: AddAction): Tags {
  const through = throughOf(file)
  return through === undefined ? {} : markedThrough(through)
}
