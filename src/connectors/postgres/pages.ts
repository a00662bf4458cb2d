/** Divides a table on disk into ranges of its pages, which can be read in parallel. */
import type pg from 'pg'
import { PART_BYTES } from '../table-source.ts'
import type { Relation } from './describe.ts'

export interface Pages {
  /** `OID:FROM-TO`, in pages. The last range of a table has no end: the table grows. */
  parts: string[]
  relations: Map<string, string>
  /** Changes if one of the tables is rewritten. */
  files: string
}

interface Leaf {
  oid: string
  relation: string
  file: string
  pages: number
  page_bytes: number
  readable: boolean
}

/** The table itself, or the leaves of a partitioned one, if this user may read all their rows. */
const ON_DISK = `WITH c AS (SELECT * FROM pg_class WHERE oid = $1::oid), leaves AS (
  SELECT oid FROM c WHERE relkind IN ('r', 'm')
    AND NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhparent = c.oid)
  UNION ALL SELECT t.relid FROM c, pg_partition_tree(c.oid) t
    WHERE c.relkind = 'p' AND NOT c.relrowsecurity AND t.isleaf
) SELECT l.oid::text AS oid, l.oid::regclass::text AS relation, pg_relation_filenode(l.oid)::text AS file,
  (pg_relation_size(l.oid) / current_setting('block_size')::int)::float8 AS pages,
  current_setting('block_size')::int AS page_bytes,
  l.relkind IN ('r', 'm') AND has_table_privilege(l.oid, 'SELECT')
    AND current_setting('server_version_num')::int >= 140000 AS readable
  FROM leaves JOIN pg_class l USING (oid) ORDER BY l.oid`

/**
 * Undefined for relations without their own pages (views, inherited tables), and for servers before 14: those
 * read all pages for each range.
 */
export async function pagesOf(
  client: pg.Client,
  { oid }: Relation,
  partBytes = PART_BYTES,
): Promise<Pages | undefined> {
  const { rows: tables } = await client.query<Leaf>(ON_DISK, [oid])
  if (tables.length === 0 || tables.some((leaf) => !leaf.readable)) return undefined
  const parts = tables.flatMap((leaf) => {
    const step = Math.ceil(partBytes / leaf.page_bytes)
    const count = Math.max(1, Math.ceil(leaf.pages / step))
    return Array.from(
      { length: count },
      (_, i) => `${leaf.oid}:${i * step}-${i === count - 1 ? '' : (i + 1) * step}`,
    )
  })
  const relations = new Map(tables.map((leaf) => [leaf.oid, leaf.relation]))
  return { parts, relations, files: tables.map((leaf) => `${leaf.oid}/${leaf.file}`).join(' ') }
}

export function fromPages({ relations }: Pages, part: string): string {
  const [, oid, from, to] = /^(\d+):(\d+)-(\d*)$/.exec(part) ?? []
  const end = to === '' ? '' : ` AND t.ctid < '(${to},0)'`
  return `${String(relations.get(oid))} t WHERE t.ctid >= '(${from},0)'${end}`
}
