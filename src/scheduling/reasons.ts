/** Why an execution waits, was refused or ended as it did: a code of the error table with its numbers. */
import { failure } from '../core/errors.ts'
import type { SERVICE_ERRORS } from '../core/errors/service.ts'

export interface ServiceReason {
  code: keyof typeof SERVICE_ERRORS
  params: Record<string, string | number>
}

/** The same words in API, CLI, metrics and `why`. */
export function reasonText(reason: ServiceReason): { code: string; message: string; next: string } {
  const { message, next } = failure(reason.code, reason.params)
  return { code: reason.code, message, next }
}
