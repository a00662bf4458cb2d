/** The type of a row in the error table, and a function to write one. */

/** What kind of problem it is. It decides whether a retry can help. */
export type ErrorClass = 'transient' | 'data' | 'configuration' | 'conflict' | 'bug'

export interface ErrorRow {
  class: ErrorClass
  /** The HTTP status that an API answers. */
  status: number
  /** `{name}` stands for the parameter of that name. The parameters hold the numbers behind the error. */
  message: string
  /** The cheapest next step for the reader of the message. */
  next: string
}

export const row = (errorClass: ErrorClass, status: number, message: string, next: string): ErrorRow => ({
  class: errorClass,
  status,
  message,
  next,
})
