/** What a decoder finds wrong with the shape of a record. */

/** What a decoder found wrong with the shape of a record. */
export interface ShapeFinding {
  row: number
  kind: 'repeated' | 'unexpected' | 'malformed'
  path: string
  start: number
  length: number
  /** Why the record is malformed, or why an unexpected field cannot become a column. */
  reason?: string | undefined
}
