/** Capacity: what the installation offers, what is booked, and how well it is used. */
import { Type, type Static } from 'typebox'
import { Count, Time, Id, nullable, withDefault } from './fields.ts'

export const Slot = Type.Object({
  slot_id: Id('ID of the slot.'),
  namespace: Type.String(),
  time_slot: Time('Start of the slot.'),
  slot_duration_minutes: Type.Integer(),
  total_cpu_capacity: Type.Integer(),
  total_memory_capacity: Type.Integer(),
  allocated_cpu: Type.Integer(),
  allocated_memory: Type.Integer(),
  region: Type.String(),
})
export type Slot = Static<typeof Slot>

export const SlotQuery = Type.Object({
  namespace: Type.Optional(Type.String({ pattern: '^[a-z-]{1,100}$' })),
  from: Type.Optional(Type.String({ format: 'date-time' })),
  hours: withDefault(Type.Integer({ minimum: 1, maximum: 168, default: 24 })),
})
export type SlotQuery = Static<typeof SlotQuery>

const Figure = nullable(Type.Number())

export const Metrics = Type.Object({
  resource_utilization: Type.Object({
    dedicated_units_usage_percent: Figure,
    vcpu_hours_consumption_rate: Type.Number(),
    peak_usage_times: Type.Array(Type.String()),
  }),
  job_performance: Type.Object({
    average_runtime: Figure,
    sla_compliance_rate: Figure,
    failure_rate: Figure,
  }),
  cost_efficiency: Type.Object({ cost_per_gb_processed: Figure, idle_resource_percentage: Figure }),
})
export type Metrics = Static<typeof Metrics>

const Offer = Type.Object(
  { cpu_cores: Count('CPU cores.', 1_000_000), memory_gb: Count('Memory in GB.', 10_000_000) },
  { additionalProperties: false },
)

export const CapacityChange = Type.Partial(
  Type.Object({ 'dedicated-cpu-ns': Offer, 'vcpu-hours-ns': Offer, 'draft-ingestion-ns': Offer }),
  { additionalProperties: false, minProperties: 1 },
)
export type CapacityChange = Static<typeof CapacityChange>

export const CapacityOffer = Type.Object({
  namespaces: Type.Object({ 'dedicated-cpu-ns': Offer, 'vcpu-hours-ns': Offer, 'draft-ingestion-ns': Offer }),
  machine: Type.Object({ cpu_cores: Type.Integer(), memory_gb: Type.Integer() }),
  overcommit: Type.Object({ cpu: Type.Number(), memory: Type.Number() }),
})
export type CapacityOffer = Static<typeof CapacityOffer>

export const CapacityPlanQuery = Type.Object({
  days: withDefault(
    Type.Integer({ minimum: 1, maximum: 365, default: 90, description: 'Days to forecast.' }),
  ),
})

export const CapacityPlan = Type.Object({
  horizon_days: Type.Integer(),
  namespaces: Type.Array(
    Type.Object({
      namespace: Type.String(),
      total_cpu_cores: Type.Integer(),
      days_of_history: Type.Integer(),
      peak_now: Type.Optional(Type.Number()),
      growth_per_day: Type.Optional(Type.Number()),
      peak_at_horizon: Type.Optional(Type.Number()),
      full_on: Type.Optional(
        Type.String({ description: 'Day on which the forecast peak reaches the capacity.' }),
      ),
      add_cpu_cores: Type.Optional(Type.Integer()),
      reason: Type.Optional(Type.String()),
    }),
  ),
  advice: Type.Array(
    Type.Object({
      tenant_id: Id('ID of the tenant.'),
      tenant_name: Type.String(),
      what: Type.String(),
      has: Type.Number(),
      needs: Type.Number(),
      why: Type.String(),
      saves_cents_a_month: Type.Optional(Type.Number()),
    }),
  ),
})
export type CapacityPlan = Static<typeof CapacityPlan>
