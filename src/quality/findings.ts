/** What a decoder finds wrong with the shape of a record. */

/** What a decoder found wrong with the shape of a record. */
export interface ShapeFinding {
  row: number
  kind: 'repeated' | 'unexpected' | 'malformed'
  path: string
  start: number
  length: number
  /** Why it is malformed; of an unexpected field, why it can become no column. */
  reason?: string | undefined
}
