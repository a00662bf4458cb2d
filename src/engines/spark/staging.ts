/**
 * The files that Spark wrote: a separate Delta table in the batch's private folder. Its one log entry names
 * the files of the attempts that won, with statistics, whatever retries and speculation there were. The files
 * then enter the log of our table.
 */
import type { DataFile } from '../../core/table-schema.ts'

/** Name of the entry below the folder. */
export const STAGING_ENTRY = '_delta_log/00000000000000000000.json'

interface AddAction {
  path: string
  size: number
  partitionValues: Record<string, string | null>
  stats?: string
}

/** Files of a staging table's entry. Paths are as the log has them: URI-encoded, relative to the folder. */
export function stagedFiles(entry: Buffer): DataFile[] {
  const actions = entry
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { add?: AddAction })
  return actions.flatMap(({ add }) =>
    add === undefined
      ? []
      : [{ path: add.path, size: add.size, partitionValues: add.partitionValues, stats: add.stats ?? '' }],
  )
}
