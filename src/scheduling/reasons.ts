/** Why an execution waits, was refused or ended as it did: a code of the error table with its numbers. */
import { failure } from '../core/errors.ts'
import type { SERVICE_ERRORS } from '../core/errors/service.ts'

export interface ServiceReason {
  code: keyof typeof SERVICE_ERRORS
  params: Record<string, string | number>
}

export interface ReasonText {
  code: string
  message: string
  next: string
}

/** The same text in API, CLI, metrics and `why`. */
export function reasonText(reason: ServiceReason): ReasonText {
  const { message, next } = failure(reason.code, reason.params)
  return { code: reason.code, message, next }
}
