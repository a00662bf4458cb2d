/**
 * Every error that a user can meet, in one table: its code, its class, the HTTP status of the API, the
 * message (with the numbers) and the next step. `docs/reference/errors.md` is generated from this table, and
 * a test proves that they agree. Nothing else in the project may construct an Error (scripts/tidy.ts).
 */
import type { ErrorClass, ErrorRow } from './error-row.ts'
import { DECLARATION_ERRORS } from './errors/declaration.ts'
import { SYSTEM_ERRORS } from './errors/systems.ts'
import { TABLE_ERRORS } from './errors/tables.ts'
import { WORK_ERRORS } from './errors/work.ts'
import { SERVICE_ERRORS } from './errors/service.ts'

/** The table, area by area (errors/). `{name}` is replaced by the parameter of that name. */
export const ERRORS = {
  ...DECLARATION_ERRORS,
  ...TABLE_ERRORS,
  ...SYSTEM_ERRORS,
  ...WORK_ERRORS,
  ...SERVICE_ERRORS,
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERRORS

/** The only error class. It carries its row of the table and its parameters. */
export class HeadraceError extends Error {
  readonly code: ErrorCode
  readonly params: Record<string, unknown>
  readonly next: string

  constructor(code: ErrorCode, params: Record<string, unknown>, cause?: unknown) {
    super(fill(ERRORS[code].message, params), { cause })
    this.name = 'HeadraceError'
    this.code = code
    this.params = params
    this.next = fill(ERRORS[code].next, params)
  }

  get errorClass(): ErrorClass {
    return ERRORS[this.code].class
  }
}

/** Makes an error of the table: `throw failure('topic_not_found', { topic, brokers, similar })`. */
export function failure(
  code: ErrorCode,
  params: Record<string, unknown> = {},
  cause?: unknown,
): HeadraceError {
  return new HeadraceError(code, params, cause)
}

/** The text of anything that was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The table's error for a failure of the operating system, with the path it happened on. */
export function storageFailure(error: unknown, action: string, path: string): HeadraceError {
  if (error instanceof HeadraceError) return error
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOSPC' || code === 'EDQUOT') return failure('storage_full', { path }, error)
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return failure('permission_denied', { action, path, user: ownUser() }, error)
  if (code === 'ENOENT') return failure('path_not_found', { path, base: 'the current folder' }, error)
  return failure('storage_failed', { action, path, reason: reasonOf(error) }, error)
}

/** The user of this process, by number: a name is not always available. */
export function ownUser(): string {
  const id = process.getuid?.()
  return id === undefined ? 'this user' : `uid ${id}`
}

function fill(template: string, params: Record<string, unknown>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => String(params[name] ?? `{${name}}`))
}
