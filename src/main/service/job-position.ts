/**
 * Where a job goes on, with the name of what it is a position in. A position in a source that the job no longer
 * reads is none: the new source is read from its beginning, and nothing of it is taken for read.
 */

interface JobPosition {
  source: string
  at: unknown
}

const DEFAULT_PORTS: Record<string, number> = { postgres: 5432, mysql: 3306 }

/**
 * Names what positions are in: server, database, table and the column that says what is new, or the bucket.
 * Credentials, columns and patterns of file names are not part of it: files are remembered one by one.
 */
export function sourceName(sourceType: string, source: Record<string, unknown>): string {
  const { host, port = DEFAULT_PORTS[sourceType], database, table, cursor, bucket, endpoint } = source
  const server = typeof host === 'string' ? host.toLowerCase() : undefined
  return JSON.stringify({ sourceType, host: server, port, database, table, cursor, bucket, endpoint })
}

const isPosition = (stored: unknown): stored is JobPosition =>
  typeof stored === 'object' && stored !== null && 'source' in stored && 'at' in stored

/** The position as the job's source knows it; undefined when it is one in another source. */
export function positionIn(source: string, stored: unknown): unknown {
  // Without a name it was kept before there were names: it is taken over once.
  if (!isPosition(stored)) return stored
  return stored.source === source ? stored.at : undefined
}

/** As it is kept with the job. */
export function namedPosition(source: string, at: unknown): JobPosition | undefined {
  return at === undefined || at === null ? undefined : { source, at }
}
