/** Turns DuckDB's errors into errors of our table. */
import { failure, ownUser, reasonOf, HeadraceError } from '../../core/errors.ts'

/** Classifies the error of a statement. `action` completes "DuckDB could not ...". */
export function engineError(error: unknown, action: string, path = ''): HeadraceError {
  if (error instanceof HeadraceError) return error
  const reason = reasonOf(error)
  if (/No space left|ENOSPC|Could not write all|max_temp_directory_size/i.test(reason))
    return failure('storage_full', { path: path || action }, error)
  if (/Out of Memory|memory limit/i.test(reason))
    return failure('memory_exceeded', { limit: 'memory', reason: firstLine(reason) }, error)
  if (/Permission denied/i.test(reason))
    return failure('permission_denied', { action, path, user: ownUser() }, error)
  if (/^IO Error|Input\/output error/i.test(reason))
    return failure('storage_failed', { action, path: path || 'its files', reason: firstLine(reason) }, error)
  return failure('engine_failed', { action, reason: firstLine(reason) }, error)
}

function firstLine(text: string): string {
  return text.split('\n')[0]
}
