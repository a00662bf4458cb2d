/** Jobs: what they need, what they were promised, and how a draft becomes production. */
import { Type, type Static } from 'typebox'
import { ResourceRequirements, SlaRequirements, SlaTier } from '../../scheduling/terms.ts'
import { Free, Name, Time, Id, nullable } from './fields.ts'

export const SlaTiers = Type.Object(
  {
    tiers: Type.Record(Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,39}$' }), SlaTier, {
      maxProperties: 100,
      additionalProperties: false,
    }),
  },
  { additionalProperties: false },
)
export type SlaTiers = Static<typeof SlaTiers>

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
    resource_requirements: ResourceRequirements,
    sla_requirements: Type.Optional(SlaRequirements),
  },
  { additionalProperties: false },
)
export type JobRequest = Static<typeof JobRequest>

export const JobChange = Type.Partial(JobRequest, { additionalProperties: false, minProperties: 1 })
export type JobChange = Static<typeof JobChange>

export const Evaluation = Type.Object({
  promotion_eligible: Type.Boolean(),
  recommended_namespace: Type.Optional(Type.String()),
  confidence: Type.Optional(Type.String()),
  resource_adjustment: Type.Optional(Type.Object({ cpu_cores: Type.Number(), memory_gb: Type.Number() })),
  reason: Type.Optional(Type.String()),
  recommended_action: Type.Optional(Type.String()),
})
export type Evaluation = Static<typeof Evaluation>

/** What a job keeps of its last promotion and demotion. */
const JobEvaluation = Type.Partial(
  Type.Object({
    ...Evaluation.properties,
    evidence: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()])),
    at: Time('When the job was promoted.'),
    demoted: Type.String({ description: 'Why the job was demoted.' }),
  }),
)

export const Job = Type.Object({
  job_id: Id('ID of the job.'),
  tenant_id: Id('ID of the tenant.'),
  job_name: Type.String(),
  source_type: Type.String(),
  source_config: Free,
  destination_config: Free,
  schedule_cron: nullable(Type.String()),
  resource_requirements: ResourceRequirements,
  sla_requirements: SlaRequirements,
  status: Type.String(),
  namespace: Type.String(),
  created_at: Time('When the job was created.'),
  version: Type.Integer(),
  next_run_at: nullable(Time('Next run of the schedule.')),
  failures_in_a_row: Type.Integer(),
  evaluation: nullable(JobEvaluation),
  continuous: Type.Boolean({
    description: 'True for a job into the zones without a schedule: it runs until it is stopped.',
  }),
})
export type Job = Static<typeof Job>

export const Queued = Type.Object({
  execution_id: Id('ID of the execution.'),
  job_id: Id('ID of the job.'),
  namespace: Type.String(),
  status: Type.String(),
})
export type Queued = Static<typeof Queued>

export const Promotion = Type.Object({
  status: Type.String(),
  namespace: Type.String(),
  updated_requirements: ResourceRequirements,
})
export type Promotion = Static<typeof Promotion>

export const Demotion = Type.Object({
  status: Type.String(),
  namespace: Type.String(),
  reason: Type.String(),
})
export type Demotion = Static<typeof Demotion>
