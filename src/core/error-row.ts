/** The shape of a row of the error table, and how one is written down. */

/** Whose problem it is; decides whether trying again can help. */
export type ErrorClass = 'transient' | 'data' | 'configuration' | 'conflict' | 'bug'

export interface ErrorRow {
  class: ErrorClass
  /** The HTTP status that an API answers. */
  status: number
  /** `{name}` is replaced by the parameter of that name; it holds the numbers behind the error. */
  message: string
  /** The cheapest next step, for the same reader. */
  next: string
}

export const row = (errorClass: ErrorClass, status: number, message: string, next: string): ErrorRow => ({
  class: errorClass,
  status,
  message,
  next,
})
