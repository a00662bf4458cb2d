/**
 * The kinds of sources. This file is separate from the code that reads declarations, because a transfer
 * without a declaration must not load that: 0.2 s of a child's start.
 */

/**
 * Whether the source of a job into the zones must be fetched. A folder of files that are read in place need
 * not.
 */
export function isFetched(sourceType: string, source: Record<string, unknown>): boolean {
  return (
    ['postgres', 'mysql', 's3'].includes(sourceType) ||
    (sourceType === 'files' && source.format === 'parquet')
  )
}

/** Rows of tables and of Parquet become lines of JSON; objects of a bucket are copied unchanged. */
export function isConverted(sourceType: string, source: Record<string, unknown>): boolean {
  return sourceType !== 's3' || source.format === 'parquet'
}

/**
 * Whether files become Parquet through a declaration: XML always, JSON if there is one (else DuckDB reads
 * it).
 */
export function isDocuments({ format, declaration }: Record<string, unknown>): boolean {
  return format === 'xml' || (format === 'json' && declaration !== undefined)
}
