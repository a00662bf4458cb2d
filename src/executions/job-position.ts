/**
 * Where a job goes on, with the name of what it is a position in and of the execution that came so far. A
 * position in a source that the job no longer reads is none: the new source is read from its beginning, and
 * nothing of it is taken for read. It belongs to the job and its source, so that it looks the same wherever
 * the job writes: one that changes its destination goes on.
 */

export interface JobPosition {
  source: string
  /** As the source's connector keeps it; not there for one that is read whole each time. */
  at?: unknown
  /** What lies in the job's inbox of this execution and earlier ones is known. Ids grow with time. */
  by: string
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

const has = <Key extends string>(value: unknown, ...keys: Key[]): value is Record<Key, unknown> =>
  typeof value === 'object' && value !== null && keys.every((key) => Object.hasOwn(value, key))

/**
 * A position, however it was kept: earlier versions left out the name of its source, and wrote who came so
 * far (`fetched`) around it, of jobs into the zones only.
 */
function unpacked(stored: unknown): Partial<JobPosition> {
  if (has(stored, 'source', 'by')) return stored as JobPosition
  const isNamed = has(stored, 'source', 'at')
  const [name, inner] = isNamed ? [{ source: String(stored.source) }, stored.at] : [{}, stored]
  return has(inner, 'fetched')
    ? { ...name, at: (inner as { of?: unknown }).of, by: String(inner.fetched) }
    : { ...name, at: inner }
}

/** The position as the source's connector knows it; undefined when it is one in another source. */
export function positionIn(source: string, stored: unknown): unknown {
  const { source: of, at } = unpacked(stored)
  // Without a name it was kept before there were names: it is taken over once.
  return of === undefined || of === source ? (at ?? undefined) : undefined
}

/** As it is kept: one without a name is taken for one in this source, by this execution. */
export function positionNamed(
  stored: unknown,
  { source, by }: Pick<JobPosition, 'source' | 'by'>,
): JobPosition {
  const { at, ...known } = unpacked(stored)
  return { source, by, ...known, at: at ?? undefined }
}

/** The execution that came so far. */
export const reachedBy = (stored: unknown): string | undefined => unpacked(stored).by

/** Of positions, the newest first, the one in this source; else the newest. */
export function newestIn(source: string, positions: unknown[]): unknown {
  const known = positions.filter((position) => position !== undefined && position !== null)
  return known.find((position) => positionIn(source, position) !== undefined) ?? known[0]
}
