/** Jobs: what they need, what they were promised, and how a draft becomes production. */
import { Type } from 'typebox'
import { Count, Free, Name, Time, Id, nullable } from './fields.ts'

export const Requirements = Type.Object(
  {
    cpu_cores: Count('CPU cores.', 10_000),
    memory_gb: Count('Memory in GB.', 100_000),
    estimated_runtime_minutes: Count('Estimated minutes for all data of one run.', 10_080),
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

const Promises = {
  max_runtime_minutes: Type.Optional(
    Count('Most minutes of a run. A longer run is ended and misses its SLA.', 10_080),
  ),
  max_freshness_seconds: Type.Optional(
    Count('For a stream: greatest age of the newest message when readers see it.', 86_400),
  ),
  priority: Type.Optional(Type.Union([Type.Literal('low'), Type.Literal('medium'), Type.Literal('high')])),
}

export const Sla = Type.Object(
  {
    ...Promises,
    tier: Type.Optional(
      Type.String({
        maxLength: 40,
        description: 'SLA tier that an operator defined. It gives the values that are not set here.',
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
    job_name: Name('Name of the job, unique in the tenant.'),
    source_type: Type.String({ minLength: 1, maxLength: 50 }),
    source_config: Free,
    destination_config: Free,
    schedule_cron: Type.Optional(
      nullable(
        Type.String({
          maxLength: 100,
          description:
            'Cron schedule in UTC, five fields. Without it you start each run; a stream into the zones runs continuously.',
        }),
      ),
    ),
    resource_requirements: Requirements,
    sla_requirements: Type.Optional(Sla),
  },
  { additionalProperties: false },
)

export const JobChange = Type.Partial(JobRequest, { additionalProperties: false, minProperties: 1 })

export const Job = Type.Object({
  job_id: Id('ID of the job.'),
  tenant_id: Id('ID of the tenant.'),
  job_name: Type.String(),
  source_type: Type.String(),
  source_config: Free,
  destination_config: Free,
  schedule_cron: nullable(Type.String()),
  resource_requirements: Free,
  sla_requirements: Free,
  status: Type.String(),
  namespace: Type.String(),
  created_at: Time('When the job was created.'),
  version: Type.Integer(),
  next_run_at: nullable(Time('Next run of the schedule.')),
  failures_in_a_row: Type.Integer(),
  evaluation: nullable(Free),
  continuous: Type.Boolean({
    description: 'True for a job into the zones without a schedule: it runs until it is stopped.',
  }),
})

export const Queued = Type.Object({
  execution_id: Id('ID of the execution.'),
  job_id: Id('ID of the job.'),
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
