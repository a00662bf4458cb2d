/** Findings on the shape of records, as decoders report them to the checks. */

/** A fault in the shape of a record. */
export interface ShapeFinding {
  row: number
  kind: 'repeated' | 'unexpected' | 'malformed'
  path: string
  start: number
  length: number
  /** Why the record is malformed, or why an unexpected field cannot become a column. */
  reason?: string | undefined
}
