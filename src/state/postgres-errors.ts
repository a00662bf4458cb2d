/** What PostgreSQL's error codes mean here (SQLSTATE, appendix A of its manual). */

interface PgError {
  code?: string
  constraint?: string
}

export function isUniqueViolation(error: unknown, constraint: string): boolean {
  const { code, constraint: found } = error as PgError
  return code === '23505' && found === constraint
}
