/** Turns answers of brokers and failures of connections into errors of our table. */
import { HeadraceError, failure, reasonOf } from '../../core/errors.ts'
import type { KafkaSourceSpec } from '../../dataset/declaration.ts'
import { AuthenticationError, ResponseError, protocolErrorsCodesById } from './protocol.ts'

/** Error codes of the protocol that decide the next step of a reader. */
export const CODE = {
  none: 0,
  offsetOutOfRange: 1,
  unknownTopic: 3,
  notLeader: 6,
  unknownTopicId: 100,
} as const

/** Codes after which new metadata and a retry help. -1 is a broker with an internal error. */
const RETRIABLE = new Set([-1, 2, 5, 6, 7, 8, 9, 13, 56, 72, 74, 75, 76, 78, 103])

export function isRetriableCode(code: number): boolean {
  return RETRIABLE.has(code)
}

export function codeName(code: number): string {
  return (protocolErrorsCodesById as Record<number, string>)[code] ?? `error ${code}`
}

/** Turns any error of the client into one of the table. */
export function kafkaError(error: unknown, spec: KafkaSourceSpec): HeadraceError {
  if (error instanceof HeadraceError) return error
  const brokers = spec.brokers.join(',')
  const reason = deepest(error)
  if (isAuthentication(error) || /SASL|authentication|not supported by the server/i.test(reason))
    return failure('broker_auth_failed', { brokers, reason }, error)
  if (error instanceof ResponseError && /UNKNOWN_TOPIC/.test(reason))
    return failure('topic_not_found', { brokers, topic: '', similar: '' }, error)
  if (/Broker requires TLS|certificate|self.signed|wrong version number/i.test(reason))
    return failure('broker_auth_failed', { brokers, reason }, error)
  return failure('broker_unreachable', { brokers, reason }, error)
}

function isAuthentication(error: unknown): boolean {
  if (error instanceof AuthenticationError) return true
  return error instanceof Error && error.cause !== undefined && isAuthentication(error.cause)
}

function deepest(error: unknown): string {
  const inner = causeOf(error)
  const own = reasonOf(error)
  return inner === undefined || inner === null ? own : `${own} (${deepest(inner)})`
}

function causeOf(error: unknown): unknown {
  if (error instanceof AggregateError) return error.errors[0]
  return error instanceof Error ? error.cause : undefined
}
