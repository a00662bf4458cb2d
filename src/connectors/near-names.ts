/** Tables that you may have meant when you named a missing one. */
import { nearest } from '../core/suggest.ts'

export interface KnownTable {
  schema: string
  table: string
  /** The notation that a source needs. */
  written: string
}

const MOST_NEAR = 5
const plainName = (text: string): string => text.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '')

/** Names (in the notation that a source needs) that you may have meant, the nearest first. */
export function nearNames(text: string, known: KnownTable[]): string[] {
  const wanted = plainName(text)
  const last = plainName(text.slice(text.lastIndexOf('.') + 1))
  const same = known.filter(
    ({ schema, table }) =>
      plainName(table) === last || plainName(table) === wanted || plainName(schema + table) === wanted,
  )
  const near: KnownTable[] = []
  let rest = known.filter((candidate) => !same.includes(candidate))
  for (
    let name = nearest(
      last,
      rest.map((candidate) => plainName(candidate.table)),
    );
    name !== undefined;
  ) {
    near.push(...rest.filter((candidate) => plainName(candidate.table) === name))
    rest = rest.filter((candidate) => plainName(candidate.table) !== name)
    name =
      near.length + same.length < MOST_NEAR
        ? nearest(
            last,
            rest.map((candidate) => plainName(candidate.table)),
          )
        : undefined
  }
  return [...same, ...near].slice(0, MOST_NEAR).map((table) => table.written)
}
