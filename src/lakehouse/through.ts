/**
 * Merged files say up to which version of RAW their rows go: written by compaction, kept when a file is
 * rewritten, read by retention.
 */
import type { AddAction } from './actions.ts'

const TAG = 'headrace.through'

type Tags = { tags?: Record<string, string> }

/** The version that a merged file's rows go up to; undefined for a file that was never merged. */
export function throughOf(file: AddAction): number | undefined {
  const tag = file.tags?.[TAG]
  return tag === undefined ? undefined : Number(tag)
}

export function markedThrough(version: number): Tags {
  return { tags: { [TAG]: String(version) } }
}

/** What a file that takes the place of another says. */
export function keptThrough(file: AddAction): Tags {
  const through = throughOf(file)
  return through === undefined ? {} : markedThrough(through)
}
