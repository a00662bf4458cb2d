/**
 * Turns Spark's errors into errors of our table: which ones a retry can cure, and what a user does about the
 * others.
 */
import { status, type ServiceError } from '@grpc/grpc-js'
import { HeadraceError, failure, reasonOf } from '../../core/errors.ts'
import type { ErrorDetails } from './protocol.ts'

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'metadata' in error
}

/** The class in brackets at the start of Spark's messages: `[INVALID_HANDLE.SESSION_NOT_FOUND] ...`. */
export function classOf(error: unknown): string {
  return /\[([A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+)*)\]/.exec(reasonOf(error))?.[1] ?? ''
}

/**
 * The server is unreachable or went away: a retry may help. A connection that a server ends because of too
 * many requests (HTTP/2's ENHANCE_YOUR_CALM) belongs here, although gRPC gives it the code of an oversized
 * message.
 */
export function isUnavailable(error: unknown): boolean {
  return (
    isServiceError(error) &&
    (error.code === status.UNAVAILABLE ||
      (error.code === status.RESOURCE_EXHAUSTED && error.details.startsWith('Bandwidth exhausted')))
  )
}

/**
 * Classifies the error of a call. `details`: the server's answer to a request for details, if there was one.
 * `action` completes "Spark could not ...".
 */
export function sparkError(
  error: unknown,
  address: string,
  action: string,
  details?: ErrorDetails,
): HeadraceError {
  if (error instanceof HeadraceError) return error
  const name = classOf(error)
  const reason = messageOf(error, details)
  if (isUnavailable(error)) return failure('spark_unreachable', { address, reason }, error)
  if (isServiceError(error) && error.code === status.UNAUTHENTICATED)
    return failure('spark_auth_failed', { address, reason }, error)
  if (isServiceError(error) && error.code === status.CANCELLED)
    return failure('spark_interrupted', { action }, error)
  if (/^INVALID_HANDLE\.(SESSION_|OPERATION_)|^INVALID_CURSOR/.test(name))
    return failure('spark_session_lost', { address, reason: name }, error)
  if (name === 'OPERATION_CANCELED') return failure('spark_interrupted', { action }, error)
  if (/No space left on device/i.test(reason)) return failure('storage_full', { path: action }, error)
  if (/OutOfMemoryError|Container killed|exceeding memory limits/i.test(reason))
    return failure('memory_exceeded', { limit: "Spark's memory", reason: firstLine(reason) }, error)
  if (
    /ExecutorLost|FetchFailed|Job aborted due to stage failure.*(lost|exited)|SparkContext was shut down|has been shutdown/is.test(
      reason,
    )
  )
    return failure('spark_executor_lost', { action, reason: firstLine(reason) }, error)
  return failure('spark_failed', { action, reason: firstLine(reason) }, error)
}

/** The deepest cause tells what happened; the first message tells where. */
function messageOf(error: unknown, details: ErrorDetails | undefined): string {
  const root = details?.errors[details.root_error_idx ?? 0]
  if (details === undefined || root === undefined) return reasonOf(error).replace(/^\d+ [A-Z_]+: /, '')
  const messages: string[] = []
  for (let at: typeof root | undefined = root, left = 20; at !== undefined && left > 0; left -= 1) {
    if (at.message !== '' && !messages.includes(at.message)) messages.push(at.message)
    at = at.cause_idx === undefined || at.cause_idx === null ? undefined : details.errors[at.cause_idx]
  }
  return messages.join(' <- ')
}

function firstLine(text: string): string {
  return text.split('\n').slice(0, 2).join(' ').slice(0, 600)
}
