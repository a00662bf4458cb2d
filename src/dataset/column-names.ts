/**
 * Makes column names from the names of a source's fields: readable, unique regardless of case, and different
 * from the tables' own columns.
 */
import { RESERVED_COLUMNS } from './declaration.ts'

/** Letters that NFKD does not decompose into a base letter and a mark. */
const LETTERS: Record<string, string> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ł: 'l',
  ı: 'i',
  ħ: 'h',
  ŋ: 'n',
}
const LONGEST = 100

export interface ColumnName {
  name: string
  /** The name no longer resembles the one in the source. */
  lost: boolean
}

/** Returns names, each once. */
export function createColumnNames(): (names: readonly string[], position: number) => ColumnName {
  const taken = new Set<string>(RESERVED_COLUMNS)
  return (names, position) => {
    const found = names.map(readable)
    const lost = names.length === 0 || found.some((part) => part.lost)
    const base = lost ? `column_${position}` : identifier(found.map((part) => part.text).join('_'))
    let name = RESERVED_COLUMNS.includes(base) ? `${base}_value` : base
    for (let n = 2; taken.has(name); n += 1) name = `${base}_${n}`
    taken.add(name)
    return { name, lost: lost && names.length > 0 }
  }
}

/**
 * The name itself, or with the first free number: `Id` next to `id` becomes `Id_2`, because engines do not
 * distinguish them. `taken` holds names in lower case, and gets this one.
 */
export function freeName(name: string, taken: Set<string>): string {
  let free = name
  for (let n = 2; taken.has(free.toLowerCase()); n += 1) free = `${name}_${n}`
  taken.add(free.toLowerCase())
  return free
}

function readable(name: string): { text: string; lost: boolean } {
  const plain = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^\0-\x7f]/gu, (char) => LETTERS[char.toLowerCase()] ?? char)
  const lost = /[\p{L}\p{N}]/u.test(plain.replace(/[\0-\x7f]/g, '')) || !/[A-Za-z0-9]/.test(plain)
  const split = plain.replace(/([a-z])([A-Z])/g, '$1_$2')
  const text = split
    .replace(/[^A-Za-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .toLowerCase()
  return { text, lost: lost || text === '' }
}

function identifier(text: string): string {
  return text.slice(0, LONGEST).replace(/_+$/, '').replace(/^(\d)/, '_$1')
}

/** A name for a dataset: also that of its folder. */
export function datasetName(text: string): string {
  const { text: plain, lost } = readable(text)
  const name = lost ? 'dataset' : plain
  return (/^[a-z]/.test(name) ? name : `data_${name}`).slice(0, 63).replace(/_+$/, '')
}
