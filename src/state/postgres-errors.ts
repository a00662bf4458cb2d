/** The meaning of PostgreSQL's error codes here (SQLSTATE, appendix A of its manual). */

import { HeadraceError } from '../core/errors.ts'

interface PgError {
  code?: string
  constraint?: string
}

export function isUniqueViolation(error: unknown, constraint: string): boolean {
  const { code, constraint: found } = error as PgError
  return code === '23505' && found === constraint
}

/**
 * Classes of errors that pass: the connection (08), a rolled-back transaction (40), resources (53), a lock
 * (55), an operator's intervention (57), the system (58).
 */
const PASSING = ['08', '40', '53', '55', '57', '58']

/**
 * Whether the same statements may succeed later. A wrong statement, or data that break a rule, will not. The
 * driver reports a broken connection with an error that has a system's code, or none.
 */
export function mayPassByWaiting(error: unknown): boolean {
  if (error instanceof HeadraceError) return error.errorClass === 'transient'
  const { code } = error as PgError
  if (code === undefined) return error instanceof Error && error.constructor === Error
  // Five letters alone are a system's code (EPIPE): a SQLSTATE has a digit.
  const isSqlState = /^(?=.*\d)[0-9A-Z]{5}$/.test(code)
  return !isSqlState || PASSING.includes(code.slice(0, 2))
}
