/**
 * Nouns of the service as requests bring them and answers show them: the field names are those of the API.
 */
import type { Namespace } from './namespaces.ts'
import type { TimePeriod } from '../periods.ts'

export const ROLES = ['operator', 'owner', 'editor', 'viewer'] as const
export type Role = (typeof ROLES)[number]

/** Who asks. The tenant comes from here, never from a path. */
export interface Principal {
  /** For the audit: the token's name, or the subject of a JWT. */
  name: string
  role: Role
  /** Undefined for operators, who belong to no tenant. */
  tenantId: string | undefined
}

export type ResourceType = 'dedicated_units' | 'vcpu_hours'

export interface PurchaseRequest {
  resource_type: ResourceType
  quantity: number
  time_period?: TimePeriod
  valid_from: string
  valid_until: string
}

export interface ResourceRequirements {
  cpu_cores: number
  memory_gb: number
  estimated_runtime_minutes: number
  sla_window_hours?: number
  preferred_time?: string
}

/** What an operator promises under a name. */
export interface SlaTier {
  max_runtime_minutes?: number
  /** Of a stream: the age of the newest message when readers can see it. */
  max_freshness_seconds?: number
  priority?: 'low' | 'medium' | 'high'
}

export interface SlaRequirements extends SlaTier {
  tier?: string
}

export interface JobRequest {
  job_name: string
  source_type: string
  source_config: Record<string, unknown>
  destination_config: Record<string, unknown>
  schedule_cron?: string | null
  resource_requirements: ResourceRequirements
  sla_requirements?: SlaRequirements
}

export interface EstimationRequest {
  source_type: string
  source_config?: Record<string, unknown>
  data_volume_gb?: number
  transformation_complexity?: 'low' | 'medium' | 'high'
}

export interface Quote {
  fits: boolean
  namespace?: Namespace
  start?: string
  end?: string
  /** The most that it costs: what it uses is settled. */
  cost: { vcpu_hours: number; amount_cents: number; currency: string; per: 'run' | 'day' }
  keeps_sla: boolean
  reason?: { code: string; message: string; next: string }
  cheapest_change?: { change: string; start?: string; end?: string }
}

export interface Page {
  after?: string
  limit: number
}

/** A page of what has names, or the one that has this name, in whatever letters. */
export interface NamedPage extends Page {
  name?: string
}

/** Whether it is an id, as this service gives them, and no name. */
export const isId = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
