/**
 * What a sample looks like: the record that repeats, and the values of its fields. Drafts of declarations are
 * made from it.
 */

/**
 * How values were written. JSON distinguishes strings from numbers; in the other formats everything is text.
 * `json`: objects and mixtures, as JSON text.
 */
export type Writing = 'text' | 'string' | 'number' | 'boolean' | 'json'

/** Values with the numbers of their records: most fields of a wide sample are rare. */
export interface SampleValues {
  rows: number[]
  values: string[]
}

export interface SampleField extends SampleValues {
  /** As in a declaration. */
  path: string
  /** The names along the path, which make the name of the column. */
  names: string[]
  writing: Writing
  /**
   * For an array: the records that have it, and the number of items of each. `rows` and `values` then count
   * items over all records, without null items.
   */
  lists: { rows: number[]; lengths: number[] } | undefined
  /** For an array of objects: the fields of its items. Their rows count items. */
  fields: SampleField[] | undefined
  /**
   * For an array: its text in each record, for a column that holds it as text. Undefined if the format has no
   * such text.
   */
  whole: SampleValues | undefined
  /** Notes for the person who reviews the draft. */
  notes: string[]
}

/** A document of a sample, decoded. */
export interface SampleText {
  text: string
  /** The source has more of it. */
  cut: boolean
}

export interface Outline {
  /** Path of the record, as in a declaration; empty if the format has none. */
  record: string
  records: number
  fields: SampleField[]
  /** Further settings of the record in a declaration: delimiter, quote, header, namespaces, ignore. */
  settings: Record<string, unknown>
  /** The sample as whole documents, without an incomplete end. */
  documents: string[]
  notes: string[]
}

/** A field without values yet. */
export function createField(path: string, names: string[], writing: Writing): SampleField {
  return {
    path,
    names,
    writing,
    rows: [],
    values: [],
    lists: undefined,
    fields: undefined,
    whole: undefined,
    notes: [],
  }
}

/** Why a sample gives no draft, and what would help. */
export interface OutlineFault {
  reason: string
  instead: string
}

export function isOutlineFault(value: Outline | OutlineFault): value is OutlineFault {
  return 'reason' in value
}
