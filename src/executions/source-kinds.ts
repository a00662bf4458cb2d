/**
 * What kind of source a job has. Apart from what reads declarations, which a transfer that needs none must
 * not load: 0.2 s of a child's start.
 */

/**
 * Whether the source of a job into the zones must be fetched: a folder of files that are read as they lie is
 * not.
 */
export function isFetched(sourceType: string, source: Record<string, unknown>): boolean {
  return (
    ['postgres', 'mysql', 's3'].includes(sourceType) ||
    (sourceType === 'files' && source.format === 'parquet')
  )
}

/** Rows of tables and of Parquet become lines of JSON; objects of a bucket are copied as they are. */
export function isConverted(sourceType: string, source: Record<string, unknown>): boolean {
  return sourceType !== 's3' || source.format === 'parquet'
}

/**
 * Whether files become Parquet by way of a declaration: XML always, JSON when there is one (DuckDB reads it
 * otherwise).
 */
export function isDocuments({ format, declaration }: Record<string, unknown>): boolean {
  return format === 'xml' || (format === 'json' && declaration !== undefined)
}
