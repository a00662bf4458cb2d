/** What PostgreSQL's error codes mean here (SQLSTATE, appendix A of its manual). */

interface PgError {
  code?: string
  constraint?: string
}

export function isUniqueViolation(error: unknown, constraint: string): boolean {
  const { code, constraint: found } = error as PgError
  return code === '23505' && found === constraint
}

/** The server went away, is starting or ending, or has no room: the same again may succeed. */
export function isConnectionLoss(error: unknown): boolean {
  const code = (error as PgError).code ?? ''
  return /^(08|57P0|53300|ECONN|EPIPE|ETIMEDOUT)/.test(code) || /Connection terminated|timeout exceeded when trying to connect/.test(String((error as Error).message))
}

/** Two transactions met; one of them was chosen to be tried again. */
export function isRetryable(error: unknown): boolean {
  return ['40001', '40P01', '55P03'].includes((error as PgError).code ?? '')
}
