/**
 * Drift `evolve`: decides which unknown fields become columns. A record is rejected, and adds no column, if
 * one of its fields cannot become a column: a stream that waited for a column that never comes would read the
 * same messages forever.
 */
import { LIMITS } from '../core/limits.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import { pathMeaning } from '../dataset/paths.ts'
import type { ShapeFinding } from './findings.ts'

export interface Discovery {
  /** Paths to turn into columns. */
  readonly paths: Set<string>
  begin(): void
  /**
   * Judges the record of the finding at `index`. Returns the finding that rejects the record, and the reason.
   */
  judge(findings: ShapeFinding[], index: number): { finding: ShapeFinding; reason: string } | undefined
}

export function createDiscovery(record: Dataset['record'], columns: readonly Column[]): Discovery {
  const paths = new Set<string>()
  const meaningOf = pathMeaning(record)
  const known = new Set(columns.map((column) => meaningOf(column.path)))
  const room = LIMITS.evolvedColumns - columns.filter((column) => column.evolved).length
  let admitted = -1
  return {
    paths,
    begin() {
      paths.clear()
      admitted = -1
    },
    judge(findings, index) {
      const { row } = findings[index]
      if (row === admitted) return undefined
      const fresh = new Set<string>()
      for (let at = index; findings[at]?.row === row; at += 1) {
        const finding = findings[at]
        const { kind, path, reason } = finding
        if (kind !== 'unexpected') continue
        if (reason !== undefined) return { finding, reason }
        if (known.has(meaningOf(path)))
          return { finding, reason: `${path} does not fit the column of this path` }
        if (!paths.has(path)) fresh.add(path)
        if (paths.size + fresh.size > room)
          return {
            finding,
            reason: `${path} is not declared, and the limit of ${LIMITS.evolvedColumns} added columns is reached`,
          }
      }
      for (const path of fresh) paths.add(path)
      admitted = row
      return undefined
    },
  }
}
