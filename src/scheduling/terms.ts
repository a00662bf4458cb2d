/**
 * The terms of work: what a job asks for and is promised, what a tenant may do, what it costs and what it
 * used. Requests are checked against these schemas, rows of the database hold them, and the scheduler
 * computes with them.
 */
import { variableOf } from '../core/setting-row.ts'
import { Type, type Static } from 'typebox'
import { TENANT_LIMITS, type TenantLimits } from '../core/service/tenant-limits.ts'

const whole = (description: string, maximum: number) => Type.Integer({ minimum: 1, maximum, description })

export const ResourceRequirements = Type.Object(
  {
    cpu_cores: whole('CPU cores.', 10_000),
    memory_gb: whole('Memory in GB.', 100_000),
    estimated_runtime_minutes: whole('Estimated minutes for all data of one run.', 10_080),
    sla_window_hours: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 48,
        description: 'Hours after the preferred time within which an execution must end. Default 24.',
      }),
    ),
    preferred_time: Type.Optional(
      Type.String({
        maxLength: 40,
        description: 'Preferred start: a time of day in UTC (02:30), or a date and time.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type ResourceRequirements = Static<typeof ResourceRequirements>

/** A named promise of the operator. */
export const SlaTier = Type.Object(
  {
    max_runtime_minutes: Type.Optional(
      whole('Most minutes of a run. A longer run is ended and misses its SLA.', 10_080),
    ),
    max_freshness_seconds: Type.Optional(
      whole('For a stream: greatest age of the newest message when readers see it.', 86_400),
    ),
    priority: Type.Optional(Type.Union([Type.Literal('low'), Type.Literal('medium'), Type.Literal('high')])),
  },
  { additionalProperties: false },
)
export type SlaTier = Static<typeof SlaTier>

export const SlaRequirements = Type.Object(
  {
    ...SlaTier.properties,
    tier: Type.Optional(
      Type.String({
        maxLength: 40,
        description: 'SLA tier that an operator defined. It gives the values that are not set here.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type SlaRequirements = Static<typeof SlaRequirements>

const LIMIT_FIELDS = Object.entries(TENANT_LIMITS).map(([name, { what, usual }]) => [
  name,
  Type.Optional(
    whole(`Limit of ${what}. Default: ${variableOf(`limit_${name}`)}, or ${usual}.`, 999_999_999),
  ),
])

const Limits = Type.Unsafe<Partial<TenantLimits>>(
  Type.Object(Object.fromEntries(LIMIT_FIELDS), {
    additionalProperties: false,
    description: 'Limits of this tenant. They override the limits of the installation.',
  }),
)

export const TenantPolicy = Type.Object(
  {
    overage: Type.Optional(
      Type.Union([Type.Literal('stop'), Type.Literal('debt')], {
        description:
          'What happens to a run that uses more than its hold when no balance is left: stop it, or let it run into debt. Default stop.',
      }),
    ),
    lends: Type.Optional(
      Type.Boolean({
        description: 'Whether other tenants may use its idle dedicated units until it needs them.',
      }),
    ),
    requests_per_minute: Type.Optional(whole('Limit of API requests per minute. Default 600.', 1_000_000)),
    limits: Type.Optional(Limits),
  },
  { additionalProperties: false },
)
export type TenantPolicy = Static<typeof TenantPolicy>

export const ResourceType = Type.Union([Type.Literal('dedicated_units'), Type.Literal('vcpu_hours')], {
  description: 'What is bought. A dedicated unit is 4 CPU cores and 8 GB.',
})
export type ResourceType = Static<typeof ResourceType>

const Cents = Type.Object(
  {
    hourly: Type.Integer({ minimum: 0 }),
    daily: Type.Integer({ minimum: 0 }),
    monthly: Type.Integer({ minimum: 0 }),
    yearly: Type.Integer({ minimum: 0 }),
  },
  { additionalProperties: false },
)

const Percent = Type.Number({ minimum: 0, maximum: 100 })

/** Cents for one unit or one vCPU-hour per period. Discounts are percent off, from a given amount on. */
export const PriceList = Type.Object(
  {
    currency: Type.String({ pattern: '^[A-Z]{3}$' }),
    dedicated_units: Cents,
    vcpu_hours: Cents,
    volume_discounts: Type.Array(
      Type.Object(
        { from_quantity: whole('Smallest quantity that gets the discount.', 1_000_000), percent: Percent },
        { additionalProperties: false },
      ),
      { maxItems: 50 },
    ),
    term_discounts: Type.Array(
      Type.Object(
        {
          from_periods: whole('Smallest number of periods that gets the discount.', 1_000_000),
          percent: Percent,
        },
        { additionalProperties: false },
      ),
      { maxItems: 50 },
    ),
  },
  { additionalProperties: false },
)
export type PriceList = Static<typeof PriceList>

/** The cost of a purchase, as on its day. */
export const Price = Type.Object({
  currency: Type.String(),
  list_cents: Type.Number(),
  discount_percent: Type.Number(),
  total_cents: Type.Number(),
})
export type Price = Static<typeof Price>

/** What an execution was booked and charged for, and what it made of it. */
export const ResourceUsed = Type.Object({
  cpu_seconds: Type.Number({ description: 'CPU time that the operating system measured.' }),
  memory_gb_seconds: Type.Number({ description: 'Memory that the operating system measured, over time.' }),
  vcpu_hours: Type.Number({ description: 'Booked cores times the time it ran, by the second.' }),
  charged_vcpu_hours: Type.Optional(
    Type.Number({
      description:
        'The part of vcpu_hours that the balance paid: 0 for drafts and on dedicated units of its own.',
    }),
  ),
  cpu_efficiency_percent: Type.Optional(
    Type.Number({ description: 'Measured CPU time as a part of what was booked.' }),
  ),
})
export type ResourceUsed = Static<typeof ResourceUsed>
