/**
 * Where a job continues: the position, the name of its source, and the execution that got there. A position
 * in a source that the job no longer reads does not count: the new source is read from its beginning. The
 * position belongs to the job and its source, whatever the destination: a job that changes its destination
 * continues.
 */

export interface JobPosition {
  source: string
  /** In the form of the source's connector. Missing for a source that is read completely each time. */
  at?: unknown
  /** The data in the job's inbox from this execution and earlier ones are known. IDs grow with time. */
  by: string
}

const DEFAULT_PORTS: Record<string, number> = { postgres: 5432, mysql: 3306 }

/**
 * Names what positions refer to: server, database, table and cursor column, or the bucket. Credentials,
 * columns and patterns of file names are not part of it: files are remembered one by one.
 */
export function sourceName(sourceType: string, source: Record<string, unknown>): string {
  const { host, port = DEFAULT_PORTS[sourceType], database, table, cursor, bucket, endpoint } = source
  const server = typeof host === 'string' ? host.toLowerCase() : undefined
  return JSON.stringify({ sourceType, host: server, port, database, table, cursor, bucket, endpoint })
}

const has = <Key extends string>(value: unknown, ...keys: Key[]): value is Record<Key, unknown> =>
  typeof value === 'object' && value !== null && keys.every((key) => Object.hasOwn(value, key))

/**
 * A position in any stored form. Earlier versions left out the name of its source and, only for jobs into the
 * zones, stored the execution (`fetched`) around it.
 */
function unpacked(stored: unknown): Partial<JobPosition> {
  if (has(stored, 'source', 'by')) return stored as JobPosition
  const isNamed = has(stored, 'source', 'at')
  const [name, inner] = isNamed ? [{ source: String(stored.source) }, stored.at] : [{}, stored]
  return has(inner, 'fetched')
    ? { ...name, at: (inner as { of?: unknown }).of, by: String(inner.fetched) }
    : { ...name, at: inner }
}

/** The position for the source's connector. Undefined if it belongs to another source. */
export function positionIn(source: string, stored: unknown): unknown {
  const { source: of, at } = unpacked(stored)
  // A position without a name is older than names: it is taken over once.
  return of === undefined || of === source ? (at ?? undefined) : undefined
}

/** The stored form. A position without a name is assigned to this source and this execution. */
export function positionNamed(
  stored: unknown,
  { source, by }: Pick<JobPosition, 'source' | 'by'>,
): JobPosition {
  const { at, ...known } = unpacked(stored)
  return { source, by, ...known, at: at ?? undefined }
}

/** The execution that got to this position. */
export const reachedBy = (stored: unknown): string | undefined => unpacked(stored).by

/** From positions, the newest first: the one in this source, else the newest. */
export function newestIn(source: string, positions: unknown[]): unknown {
  const known = positions.filter((position) => position !== undefined && position !== null)
  return known.find((position) => positionIn(source, position) !== undefined) ?? known[0]
}
