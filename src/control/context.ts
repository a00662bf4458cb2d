/** What all use cases of the service share. */
import { failure } from '../core/errors.ts'
import type { OfferedCapacity } from '../core/service/namespaces.ts'
import type { TenantLimits } from '../core/service/tenant-limits.ts'
import type { Listed } from './service.ts'
import type { SealedSecrets } from '../secrets/sealed-file.ts'
import type { SlotSettings } from '../state/capacity.ts'
import type { Gate } from '../state/database.ts'
import type { Checker } from './checker.ts'
import type { Learner } from './loops/learner.ts'
import type { Mailer } from '../net/mail.ts'
import type { ServiceMetrics } from './metrics.ts'
import type { JwtVerifier } from '../net/oidc.ts'
import type { StorageMeter } from './tenant-storage.ts'
import type { Retention } from './retention.ts'

export interface Context {
  gate: Gate
  version: string
  home: string
  capacity: OfferedCapacity
  slots: SlotSettings
  /** Whether idle capacity of another namespace may be used. */
  spillover: boolean
  now: () => Date
  /** Values go only to the child that runs an execution. */
  secrets: SealedSecrets
  /** All events up to this number are visible (state/events.ts). */
  settledEvents: () => Promise<bigint>
  retention: Retention
  learner: Learner
  /** Limits of each tenant, unless its policy sets others. */
  limits: TenantLimits
  storage: StorageMeter
  checker: Checker
  metrics: ServiceMetrics
  /** Undefined: the service sends no mail. */
  mail: Mailer | undefined
  /** Undefined: the service accepts only its own tokens. */
  oidc: JwtVerifier | undefined
}

export function listed<Item>(items: Item[], limit: number, key: (item: Item) => string): Listed<Item> {
  const last = items.at(-1)
  return { items, next: last === undefined || items.length < limit ? undefined : key(last) }
}

/** The row, or `not_found`. */
export function found<T>(row: T | undefined, what: string, id: string, list: string): T {
  if (row === undefined) throw failure('not_found', { what, id, list })
  return row
}

export function timeOf(text: string, field: string): Date {
  const at = new Date(text)
  if (Number.isNaN(at.getTime()))
    throw failure('request_invalid', { reason: `${field} is not a time: ${text.slice(0, 40)}.` })
  return at
}
