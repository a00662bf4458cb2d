/**
 * Shapes of requests and answers, once: they validate, they describe the API (OpenAPI 3.1) and strip what an
 * answer must not show.
 */
import { Type, type TSchema } from 'typebox'
import { TENANT_LIMITS, variableOf, type TenantLimit } from '../core/tenant-limits.ts'

const Uuid = (description: string) => Type.String({ format: 'uuid', description })
const Time = (description: string) => Type.String({ format: 'date-time', description })
const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Count = (description: string, maximum = 1_000_000) => Type.Integer({ minimum: 1, maximum, description })
export const NAME_PATTERN = '^[^\\u0000-\\u001f\\u007f]+$'
const Name = (description: string) =>
  Type.String({ minLength: 1, maxLength: 255, pattern: NAME_PATTERN, description })
const Free = Type.Object({}, { additionalProperties: true })

export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String({ description: 'Stable: docs/reference/errors.md lists them all.' }),
    next: Type.String({ description: 'What to do about it.' }),
    params: Type.Optional(Free),
  },
  { $id: 'Problem', description: 'RFC 9457, with a stable code and the next step.' },
)

const LIMIT_FIELDS = Object.entries(TENANT_LIMITS).map(([name, { what, usual }]) => [
  name,
  Type.Optional(
    Count(
      `Most ${what}; ${usual} when neither this nor ${variableOf(name as TenantLimit)} says it.`,
      999_999_999,
    ),
  ),
])
const Limits = Type.Object(Object.fromEntries(LIMIT_FIELDS) as Record<string, TSchema>, {
  additionalProperties: false,
  description: 'What the tenant may have, instead of what the installation says.',
})

export const TenantRequest = Type.Object(
  {
    tenant_name: Name('Unique among tenants.'),
    policy: Type.Optional(
      Type.Object(
        {
          overage: Type.Optional(
            Type.Union([Type.Literal('stop'), Type.Literal('debt')], {
              description: 'What happens to a run that outruns its hold when no balance is left.',
            }),
          ),
          lends: Type.Optional(
            Type.Boolean({
              description: 'Whether others may use its idle dedicated units until it needs them.',
            }),
          ),
          requests_per_minute: Type.Optional(Count('Limit of API requests.')),
          limits: Type.Optional(Limits),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)
export const TenantChange = Type.Partial(
  Type.Object({
    ...TenantRequest.properties,
    status: Type.Union([Type.Literal('active'), Type.Literal('suspended'), Type.Literal('deleted')]),
  }),
  { additionalProperties: false, minProperties: 1 },
)
export const Tenant = Type.Object({
  tenant_id: Uuid('Its id.'),
  tenant_name: Type.String(),
  created_at: Time('When it was made.'),
  status: Type.String(),
  policy: Free,
  version: Type.Integer(),
})

export const TokenRequest = Type.Object(
  {
    token_name: Name('For the audit log.'),
    role: Type.Union([Type.Literal('owner'), Type.Literal('editor'), Type.Literal('viewer')]),
    expires_at: Type.Optional(Time('After that it is refused.')),
  },
  { additionalProperties: false },
)
export const NewToken = Type.Object({
  token_id: Uuid('Its id, to revoke it.'),
  tenant_id: Uuid('Its tenant.'),
  token_name: Type.String(),
  role: Type.String(),
  token: Type.String({ description: 'Shown once.' }),
})
export const Token = Type.Object({
  token_id: Uuid('Its id.'),
  token_name: Type.String(),
  role: Type.String(),
  created_at: Time('When it was made.'),
  expires_at: nullable(Time('Its end.')),
  revoked_at: nullable(Time('When it was revoked.')),
})

const ResourceType = Type.Union([Type.Literal('dedicated_units'), Type.Literal('vcpu_hours')], {
  description: 'A dedicated unit is 4 CPU and 8 GB.',
})
const Period = Type.Union([
  Type.Literal('hourly'),
  Type.Literal('daily'),
  Type.Literal('monthly'),
  Type.Literal('yearly'),
])
export const PurchaseRequest = Type.Object(
  {
    resource_type: ResourceType,
    quantity: Count('Per period.', 10_000_000),
    time_period: Type.Optional(Period),
    valid_from: Time('Start, inclusive.'),
    valid_until: Time('End, exclusive; a whole number of periods after the start.'),
  },
  { additionalProperties: false },
)
export const Purchase = Type.Object({
  purchase_id: Uuid('Its id.'),
  tenant_id: Uuid('Its tenant.'),
  resource_type: Type.String(),
  quantity: Type.Integer(),
  time_period: Type.String(),
  valid_from: Time('Start.'),
  valid_until: Time('End.'),
  status: Type.String(),
  created_at: Time('When it was bought.'),
  price: Type.Object({
    currency: Type.String(),
    list_cents: Type.Number(),
    discount_percent: Type.Number(),
    total_cents: Type.Number(),
  }),
})
export const Usage = Type.Object({
  tenant_id: Uuid('The tenant.'),
  current_period: Type.Object({
    dedicated_units: Type.Object({
      purchased: Type.Number(),
      allocated: Type.Number(),
      available: Type.Number(),
    }),
    vcpu_hours: Type.Object({ purchased: Type.Number(), consumed: Type.Number(), remaining: Type.Number() }),
  }),
})
export const LedgerEntry = Type.Object({
  entry_id: Type.String(),
  at: Time('When.'),
  act: Type.String(),
  debit: Type.String(),
  credit: Type.String(),
  cpu_microseconds: Type.String({ description: 'Exact.' }),
  vcpu_hours: Type.Number(),
  execution_id: nullable(Uuid('What it was for.')),
  purchase_id: nullable(Uuid('What it came from.')),
  valid_from: Time('Start of the period.'),
  valid_until: Time('End of the period.'),
})

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
export const Prices = Type.Object(
  {
    currency: Type.String({ pattern: '^[A-Z]{3}$' }),
    dedicated_units: Cents,
    vcpu_hours: Cents,
    volume_discounts: Type.Array(
      Type.Object({ from_quantity: Count('From.'), percent: Percent }, { additionalProperties: false }),
      { maxItems: 50 },
    ),
    term_discounts: Type.Array(
      Type.Object({ from_periods: Count('From.'), percent: Percent }, { additionalProperties: false }),
      { maxItems: 50 },
    ),
  },
  { additionalProperties: false },
)

export const Requirements = Type.Object(
  {
    cpu_cores: Count('Whole cores.', 10_000),
    memory_gb: Count('Whole GB.', 100_000),
    estimated_runtime_minutes: Count('For all of its data.', 10_080),
    sla_window_hours: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 48,
        description: 'How late after the preferred time it may end; 24 when not given.',
      }),
    ),
    preferred_time: Type.Optional(
      Type.String({ maxLength: 40, description: 'A time of day in UTC (02:30) or a moment.' }),
    ),
  },
  { additionalProperties: false },
)
const Promises = {
  max_runtime_minutes: Type.Optional(Count('More is a miss, and ends the run.', 10_080)),
  max_freshness_seconds: Type.Optional(
    Count('Of a stream: age of the newest message when readers see it.', 86_400),
  ),
  priority: Type.Optional(Type.Union([Type.Literal('low'), Type.Literal('medium'), Type.Literal('high')])),
}
export const Sla = Type.Object(
  {
    ...Promises,
    tier: Type.Optional(
      Type.String({
        maxLength: 40,
        description: 'A tier that the operator defined: what is not said here is as it promises.',
      }),
    ),
  },
  { additionalProperties: false },
)
export const SlaTiers = Type.Object(
  {
    tiers: Type.Record(
      Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,39}$' }),
      Type.Object(Promises, { additionalProperties: false }),
      { maxProperties: 100, additionalProperties: false },
    ),
  },
  { additionalProperties: false },
)
export const JobRequest = Type.Object(
  {
    job_name: Name('Unique in the tenant.'),
    source_type: Type.String({ minLength: 1, maxLength: 50 }),
    source_config: Free,
    destination_config: Free,
    schedule_cron: Type.Optional(
      nullable(Type.String({ maxLength: 100, description: 'Five fields, UTC; null or left out: by hand.' })),
    ),
    resource_requirements: Requirements,
    sla_requirements: Type.Optional(Sla),
  },
  { additionalProperties: false },
)
export const JobChange = Type.Partial(JobRequest, { additionalProperties: false, minProperties: 1 })
export const Job = Type.Object({
  job_id: Uuid('Its id.'),
  tenant_id: Uuid('Its tenant.'),
  job_name: Type.String(),
  source_type: Type.String(),
  source_config: Free,
  destination_config: Free,
  schedule_cron: nullable(Type.String()),
  resource_requirements: Free,
  sla_requirements: Free,
  status: Type.String(),
  namespace: Type.String(),
  created_at: Time('When it was made.'),
  version: Type.Integer(),
  next_run_at: nullable(Time('Its next tick.')),
  failures_in_a_row: Type.Integer(),
  evaluation: nullable(Free),
  continuous: Type.Boolean({
    description: 'Into the zones without a schedule: it runs until it is stopped.',
  }),
})
export const Queued = Type.Object({
  execution_id: Uuid('Follow it with GET.'),
  job_id: Uuid('Its job.'),
  namespace: Type.String(),
  status: Type.String(),
})
export const Evaluation = Type.Object({
  promotion_eligible: Type.Boolean(),
  recommended_namespace: Type.Optional(Type.String()),
  confidence: Type.Optional(Type.String()),
  resource_adjustment: Type.Optional(Type.Object({ cpu_cores: Type.Number(), memory_gb: Type.Number() })),
  reason: Type.Optional(Type.String()),
  recommended_action: Type.Optional(Type.String()),
})
export const Promotion = Type.Object({
  status: Type.String(),
  namespace: Type.String(),
  updated_requirements: Free,
})
export const Demotion = Type.Object({
  status: Type.String(),
  namespace: Type.String(),
  reason: Type.String(),
})

const Reason = Type.Object({ code: Type.String(), message: Type.String(), next: Type.String() })
export const Why = Type.Object({
  execution_id: Uuid('The execution.'),
  status: Type.String(),
  ...Reason.properties,
})
export const Execution = Type.Object({
  execution_id: Uuid('Its id.'),
  job_id: Uuid('Its job.'),
  tenant_id: Uuid('Its tenant.'),
  scheduled_time: Time('When it should start.'),
  actual_start_time: nullable(Time('When it did.')),
  actual_end_time: nullable(Time('When it ended.')),
  status: Type.String(),
  resource_used: nullable(Free),
  sla_met: nullable(Type.Boolean()),
  error_message: nullable(Type.String()),
  namespace: Type.String(),
  created_at: Time('When it was queued.'),
  cpu_cores: Type.Integer(),
  memory_gb: Type.Integer(),
  estimated_minutes: Type.Integer(),
  deadline: Time('By when it must have ended.'),
  reason: nullable(Reason),
  attempt: Type.Integer(),
  booked_from: nullable(Time('Start of its booking.')),
  booked_until: nullable(Time('End of its booking.')),
  lender: nullable(Type.String()),
  progress: nullable(Free),
  receipt: nullable(Free),
})
export const Quote = Type.Object({
  fits: Type.Boolean(),
  namespace: Type.Optional(Type.String()),
  start: Type.Optional(Time('Start.')),
  end: Type.Optional(Time('End.')),
  cost: Type.Object({
    vcpu_hours: Type.Number(),
    amount_cents: Type.Number(),
    currency: Type.String(),
    per: Type.String({ description: 'run, or day for a stream.' }),
  }),
  keeps_sla: Type.Boolean(),
  reason: Type.Optional(Reason),
  cheapest_change: Type.Optional(
    Type.Object({
      change: Type.String(),
      start: Type.Optional(Time('Start.')),
      end: Type.Optional(Time('End.')),
    }),
  ),
})

export const EstimationRequest = Type.Object(
  {
    source_type: Type.String({ minLength: 1, maxLength: 50 }),
    source_config: Type.Optional(Free),
    data_volume_gb: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 10_000_000 })),
    transformation_complexity: Type.Optional(
      Type.Union([Type.Literal('low'), Type.Literal('medium'), Type.Literal('high')]),
    ),
  },
  { additionalProperties: false },
)
export const Estimation = Type.Object({
  estimated_resources: Type.Object({
    cpu_cores: Type.Number(),
    memory_gb: Type.Number(),
    runtime_minutes: Type.Number(),
  }),
  recommended_units: Type.Object({ dedicated_units: Type.Number(), vcpu_hours: Type.Number() }),
  confidence_level: Type.Number(),
  explanation: Free,
})
export const Slot = Type.Object({
  slot_id: Uuid('Its id.'),
  namespace: Type.String(),
  time_slot: Time('Its start.'),
  slot_duration_minutes: Type.Integer(),
  total_cpu_capacity: Type.Integer(),
  total_memory_capacity: Type.Integer(),
  allocated_cpu: Type.Integer(),
  allocated_memory: Type.Integer(),
  region: Type.String(),
})
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
const Offer = Type.Object(
  { cpu_cores: Count('Cores.', 1_000_000), memory_gb: Count('GB.', 10_000_000) },
  { additionalProperties: false },
)
export const CapacityChange = Type.Partial(
  Type.Object({ 'dedicated-cpu-ns': Offer, 'vcpu-hours-ns': Offer, 'draft-ingestion-ns': Offer }),
  { additionalProperties: false, minProperties: 1 },
)
export const CapacityOffer = Type.Object({
  namespaces: Type.Object({ 'dedicated-cpu-ns': Offer, 'vcpu-hours-ns': Offer, 'draft-ingestion-ns': Offer }),
  machine: Type.Object({ cpu_cores: Type.Integer(), memory_gb: Type.Integer() }),
  overcommit: Type.Object({ cpu: Type.Number(), memory: Type.Number() }),
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
        Type.String({ description: 'The day on which what is needed reaches what there is.' }),
      ),
      add_cpu_cores: Type.Optional(Type.Integer()),
      reason: Type.Optional(Type.String()),
    }),
  ),
  advice: Type.Array(
    Type.Object({
      tenant_id: Uuid('The tenant.'),
      tenant_name: Type.String(),
      what: Type.String(),
      has: Type.Number(),
      needs: Type.Number(),
      why: Type.String(),
      saves_cents_a_month: Type.Optional(Type.Number()),
    }),
  ),
})
export const Event = Type.Object({
  event_id: Type.String(),
  tenant_id: nullable(Type.String()),
  at: Time('When.'),
  actor: Type.String(),
  event: Type.String(),
  subject: nullable(Type.String()),
  data: Free,
})
const WebhookFields = {
  url: Type.String({
    maxLength: 2_000,
    pattern: '^(https?://[^\\s]+|mailto:[^\\s@,;?&<>]+@[^\\s@,;?&<>]+)$',
    description: 'A URL that takes a POST, or mailto:ADDRESS.',
  }),
  events: Type.Array(Type.String({ maxLength: 60 }), {
    minItems: 1,
    maxItems: 50,
    description: 'Names of events, or * for all.',
  }),
}
export const WebhookRequest = Type.Object(
  { ...WebhookFields, secret_name: Type.Optional(Name('A secret whose `key` signs each delivery.')) },
  { additionalProperties: false },
)
export const AlertRequest = Type.Object(WebhookFields, { additionalProperties: false })
export const Webhook = Type.Object({
  webhook_id: Uuid('Its id.'),
  url: Type.String(),
  events: Type.Array(Type.String()),
  secret_name: nullable(Type.String()),
  created_at: Time('When it was made.'),
  failures: Type.Optional(Type.Integer()),
  last_error: Type.Optional(nullable(Type.String())),
})
export const SecretRequest = Type.Object(
  {
    value: Type.Record(Type.String({ pattern: '^[a-z_]{1,40}$' }), Type.String({ maxLength: 65_536 }), {
      minProperties: 1,
      maxProperties: 20,
      additionalProperties: false,
    }),
  },
  { additionalProperties: false },
)
export const SecretName = Type.Object({ name: Type.String() })

export const page = <T extends TSchema>(item: T) =>
  Type.Object({
    items: Type.Array(item),
    next: Type.Optional(Type.String({ description: 'Give it as `after` for the next page.' })),
  })
export const PageQuery = {
  after: Type.Optional(Type.String({ format: 'uuid', description: 'The `next` of the page before.' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 100 })),
}
export const NamedPageQuery = { ...PageQuery, name: Type.Optional(Name('Only the one of this name.')) }
export const TenantPath = { tenant_id: Uuid("The tenant; it must be the token's own.") }
export const Id = Uuid
export { Type }
