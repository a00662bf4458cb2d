/** What the makers of generated files share: columns, encodings, and choices by chance. */
import type { Chance } from './xml-namespaces.ts'

export interface GeneratedColumn {
  name: string
  path: string
  type?: string
  precision?: number
  scale?: number
  trim?: boolean
  required?: boolean
  array?: boolean
  fields?: { name: string; path: string }[]
}

/** What the makers of one format give; the text goes through an encoding and a packing. */
export interface MadeText {
  text: string
  record: Record<string, unknown> & { format: string }
  columns: GeneratedColumn[]
  drift: 'freeze' | 'discard_value'
  byColumns: boolean
  /** A byte that the encoding lacks goes in at this share of the text. */
  brokenAt?: number
}

export interface Encoding {
  /** As in `record.encoding`. */
  label: string
  mark: '' | 'utf-8' | 'utf-16le' | 'utf-16be'
  /** Whether the declaration, or the XML declaration, must say it. */
  declared: boolean
  /** Letters beyond ASCII that it has. */
  letters: string[]
  /** A byte that it lacks. */
  lacks?: number
}

export const oneIn = (chance: Chance, count: number): boolean => chance.below(count) === 0

/**
 * From 1 to `most`, the powers of ten alike but for the small ones, which are more: what is wide takes long.
 */
export const widthUpTo = (chance: Chance, most: number): number =>
  Math.max(1, Math.round(most ** ((chance.below(10_001) / 10_000) ** 2)))

/** A short text of these characters. */
export function textOf(chance: Chance, characters: readonly string[], most = 6): string {
  return Array.from({ length: chance.below(most + 1) }, () => chance.pick(characters)).join('')
}
