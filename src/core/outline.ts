/** What samples look like: the record that repeats and the values its fields had. Drafts of declarations are made of it. */

export interface SampleField {
  path: string
  values: string[]
  /** Records that have it. */
  present: number
  repeats: boolean
}

export interface Outline {
  /** Path of the record, as a declaration writes it. */
  record: string
  records: number
  fields: SampleField[]
}
