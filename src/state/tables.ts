/**
 * The tables of the control database as types, by area. Times are Date, amounts and 64-bit IDs bigint. The
 * migrations create them and explain the columns.
 */
import type { ColumnType, Generated } from 'kysely'
import type { Namespace, OfferedCapacity } from '../core/service/namespaces.ts'
import type { TimePeriod } from '../core/periods.ts'
import type { JobEvaluation } from '../scheduling/draft.ts'
import type { ServiceReason } from '../scheduling/reasons.ts'
import type {
  Price,
  PriceList,
  ResourceRequirements,
  ResourceType,
  ResourceUsed,
  SlaRequirements,
  SlaTier,
  TenantPolicy,
} from '../scheduling/terms.ts'

type Json = ColumnType<unknown, string, string>
/** A JSON document. Reading returns what was written. */
type JsonOf<Document> = ColumnType<Document, string, string>
/** A document with the fields of a source, a destination, an event or a run. */
type FreeJson = JsonOf<Record<string, unknown>>
type Id = Generated<string>
type Time = ColumnType<Date, Date | string, Date | string>
type Since = ColumnType<Date, Date | undefined, Date>
type Micros = ColumnType<bigint, bigint, bigint>

export interface Database
  extends TenantTables, PurchaseTables, ExecutionTables, CapacityTables, ServiceTables {}

/** Who may use the service, and repeated requests. */
interface TenantTables {
  tenants: {
    tenant_id: Id
    tenant_name: string
    created_at: Since
    status: Generated<string>
    policy: JsonOf<TenantPolicy>
    version: Generated<number>
  }
  access_tokens: {
    token_id: Id
    tenant_id: string | null
    token_name: string
    role: string
    token_hash: Buffer
    created_at: Since
    expires_at: Date | null
    revoked_at: Date | null
  }
  idempotency_keys: {
    tenant_id: string
    idempotency_key: string
    request_hash: Buffer
    status: number
    body: Json
    created_at: Since
  }
}

/** Purchases, and the ledger of what is left of them. */
interface PurchaseTables {
  price_lists: {
    price_list_id: Generated<bigint>
    valid_from: Since
    currency: string
    prices: JsonOf<Omit<PriceList, 'currency'>>
    created_by: string
  }
  resource_purchases: {
    purchase_id: Id
    tenant_id: string
    resource_type: ResourceType
    quantity: number
    time_period: TimePeriod
    valid_from: Time
    valid_until: Time
    status: Generated<string>
    created_at: Since
    price: JsonOf<Price>
    version: Generated<number>
  }
  ledger_lots: {
    lot_id: Id
    tenant_id: string
    purchase_id: string | null
    valid_from: Time
    valid_until: Time
    granted: Micros
    available: Micros
    held: Micros
    consumed: Micros
    expired: Micros
    closed: Generated<boolean>
  }
  ledger_entries: {
    entry_id: Generated<bigint>
    tenant_id: string
    lot_id: string
    act: string
    debit: string
    credit: string
    amount: Micros
    execution_id: string | null
    at: Time
  }
}

/** Jobs and their executions: queued, booked, run, with their use. */
interface ExecutionTables {
  ingestion_jobs: {
    job_id: Id
    tenant_id: string
    job_name: string
    source_type: string
    source_config: FreeJson
    destination_config: FreeJson
    schedule_cron: string | null
    resource_requirements: JsonOf<ResourceRequirements>
    sla_requirements: JsonOf<SlaRequirements>
    status: Generated<string>
    namespace: Generated<Namespace>
    created_at: Since
    version: Generated<number>
    next_run_at: Date | null
    failures_in_a_row: Generated<number>
    cursor: Json | null
    evaluation: JsonOf<JobEvaluation> | null
    continuous: ColumnType<boolean, never, never>
  }
  job_executions: {
    execution_id: Id
    job_id: string
    scheduled_time: Time
    actual_start_time: Date | null
    actual_end_time: Date | null
    status: Generated<string>
    resource_used: JsonOf<ResourceUsed> | null
    sla_met: boolean | null
    error_message: string | null
    namespace: string
    created_at: Since
    tenant_id: string
    cpu_cores: number
    memory_gb: number
    estimated_minutes: number
    fair_tag: number
    deadline: Time
    reason: JsonOf<ServiceReason> | null
    attempt: Generated<number>
    rolled_at: Date | null
    booked_from: Date | null
    booked_until: Date | null
    lender: string | null
    unit_owner: string | null
    holds: Generated<unknown>
    runner: string | null
    generation: Generated<bigint>
    lease_until: Date | null
    cancel_requested: Generated<boolean>
    recalled: Generated<boolean>
    warned: Generated<string[]>
    progress: FreeJson | null
    receipt: FreeJson | null
    tick: Date | null
  }
  queued_executions: {
    execution_id: string
    tenant_id: string
    namespace: string
    cpu_cores: number
    memory_gb: number
    estimated_minutes: number
    preferred: Time
    deadline: Time
    fair_tag: number
    ready: Generated<boolean>
    try_after: Generated<Date>
    warn_at: Time
  }
  bookings: { booked_from: Time; execution_id: string; tenant_id: string }
  resource_consumption: {
    consumption_id: Id
    job_id: string
    tenant_id: string
    execution_id: string
    cpu_seconds: Micros
    memory_gb_seconds: Micros
    start_time: Time
    end_time: Time
    namespace: string
    created_at: Since
    cpu_microseconds: Micros
    booked_microseconds: Micros
    charged_microseconds: Micros
  }
}

/** Capacity slot by slot, in total and per owner of units, and the order of tenants. */
interface CapacityTables {
  capacity_slots: {
    slot_id: Id
    namespace: string
    time_slot: Time
    slot_duration_minutes: number
    total_cpu_capacity: number
    total_memory_capacity: number
    allocated_cpu: Generated<number>
    allocated_memory: Generated<number>
    created_at: Since
    region: Generated<string>
  }
  tenant_slots: {
    slot_id: string
    tenant_id: string
    entitled_cpu: number
    entitled_memory: number
    allocated_cpu: Generated<number>
    allocated_memory: Generated<number>
  }
  tenant_shares: { tenant_id: string; weight: Generated<number>; last_tag: Generated<number> }
}

/** Events and their receivers, leases, and values of the whole installation. */
interface ServiceTables {
  events: {
    event_id: Generated<bigint>
    tenant_id: string | null
    at: Since
    actor: string
    event: string
    subject: string | null
    data: FreeJson
  }
  webhooks: {
    webhook_id: Id
    tenant_id: string | null
    url: string
    events: string[]
    secret_name: string | null
    created_at: Since
    next_event_id: Generated<bigint>
    failures: Generated<number>
    try_after: Generated<Date>
    last_error: string | null
  }
  runners: { runner: string; cpu_cores: number; seen_at: Time }
  leases: { lease_name: string; holder: string; generation: bigint; lease_until: Time }
  installation: {
    only_row: Generated<boolean>
    capacity: JsonOf<Partial<OfferedCapacity>>
    sla_tiers: JsonOf<Record<string, SlaTier>>
    virtual_time: Generated<number>
    claimed_until: Generated<Date>
    self_benchmark: Json | null
  }
}
