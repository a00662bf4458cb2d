/**
 * What samples look like: the record that repeats and the values its fields had. Drafts of declarations are
 * made of it.
 */

/**
 * How values were written. JSON tells strings from numbers; in the other formats all is text. `json`: objects
 * and mixtures, as JSON text.
 */
export type Writing = 'text' | 'string' | 'number' | 'boolean' | 'json'

/** Values with the numbers of the records that have them: most fields of a wide sample are rare. */
export interface SampleValues {
  rows: number[]
  values: string[]
}

export interface SampleField extends SampleValues {
  /** As a declaration writes it. */
  path: string
  /** The names along the path, of which a column's name is made. */
  names: string[]
  writing: Writing
  /**
   * Of an array: how many items the records have that have it. `rows` and `values` then count items, over all
   * records, and leave out those that are null.
   */
  lists: { rows: number[]; lengths: number[] } | undefined
  /** Of an array of objects: the fields of its items; their rows count items. */
  fields: SampleField[] | undefined
  /**
   * Of an array: the text of each record's, for a column that holds it as text. Undefined where a format has
   * no such text.
   */
  whole: SampleValues | undefined
  /** What a person should know of it. */
  notes: string[]
}

/** A document of a sample, decoded. */
export interface SampleText {
  text: string
  /** More of it follows in the source. */
  cut: boolean
}

export interface Outline {
  /** Path of the record, as a declaration writes it; empty where a format has none. */
  record: string
  records: number
  fields: SampleField[]
  /** Further settings of the record in a declaration: delimiter, quote, header, namespaces, ignore. */
  settings: Record<string, unknown>
  /** The sample as whole documents: without what was cut off at its end. */
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

/** Why no draft can be made of a sample, and what would help. */
export interface OutlineFault {
  reason: string
  instead: string
}

export function isOutlineFault(value: Outline | OutlineFault): value is OutlineFault {
  return 'reason' in value
}
