/** One job that reads a table of a database again and again. */
import type { Outcome, Work } from '../../src/executions/work.ts'
import { rowsOf, runWork, workOf } from './transfers.ts'

/** A job that reads a table again and again: each time the ids that came. */
export function repeatedReader(
  home: string,
  { sourceType, source, sourceSecret }: Pick<Work, 'sourceType' | 'source' | 'sourceSecret'>,
) {
  let cursor: unknown
  return async (more: object = {}): Promise<number[]> => {
    const work = { sourceType, source: { ...source, ...more }, sourceSecret, cursor }
    const { receipt, cursor: next }: Outcome = await runWork(workOf(home, work))
    // As the service keeps it.
    if (next !== undefined) cursor = JSON.parse(JSON.stringify(next))
    if (receipt.rows === 0) return []
    return (await rowsOf(receipt.output.slice(0, 1), 'SELECT id::INT AS id FROM T ORDER BY id')).map((row) =>
      Number(row.id),
    )
  }
}

export const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i)
