/** Executions and quotes: when a job runs, and why then. */
import { Type, type Static } from 'typebox'
import { ResourceUsed } from '../../scheduling/terms.ts'
import { Free, PageQuery, Time, Id, nullable } from './fields.ts'

const Reason = Type.Object({ code: Type.String(), message: Type.String(), next: Type.String() })

export const Why = Type.Object({
  execution_id: Id('ID of the execution.'),
  status: Type.String(),
  ...Reason.properties,
})
export type Why = Static<typeof Why>

export const Execution = Type.Object({
  execution_id: Id('ID of the execution.'),
  job_id: Id('ID of the job.'),
  tenant_id: Id('ID of the tenant.'),
  scheduled_time: Time('Preferred start.'),
  actual_start_time: nullable(Time('Actual start.')),
  actual_end_time: nullable(Time('Actual end.')),
  status: Type.String(),
  resource_used: nullable(ResourceUsed),
  sla_met: nullable(Type.Boolean()),
  error_message: nullable(Type.String()),
  namespace: Type.String(),
  created_at: Time('When the execution was queued.'),
  cpu_cores: Type.Integer(),
  memory_gb: Type.Integer(),
  estimated_minutes: Type.Integer(),
  deadline: Time('Latest end that the SLA window allows.'),
  reason: nullable(Reason),
  attempt: Type.Integer(),
  booked_from: nullable(Time('Start of the booking.')),
  booked_until: nullable(Time('End of the booking.')),
  lender: nullable(Type.String()),
  progress: nullable(Free),
  receipt: nullable(Free),
})
export type Execution = Static<typeof Execution>

export const ExecutionQuery = Type.Object({
  ...PageQuery,
  after: Type.Optional(Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT[0-9:.]{8,12}Z_[0-9a-f-]{36}$' })),
  job_id: Type.Optional(Id('Only executions of this job.')),
  status: Type.Optional(Type.String({ pattern: '^[a-z_]{1,20}$' })),
})
export type ExecutionQuery = Static<typeof ExecutionQuery>

export const Quote = Type.Object({
  fits: Type.Boolean(),
  namespace: Type.Optional(Type.String()),
  start: Type.Optional(Time('Start of the booking.')),
  end: Type.Optional(Time('End of the booking.')),
  cost: Type.Object({
    vcpu_hours: Type.Number(),
    amount_cents: Type.Number(),
    currency: Type.String(),
    per: Type.Union([Type.Literal('run'), Type.Literal('day')], { description: 'run; for a stream, day.' }),
  }),
  keeps_sla: Type.Boolean(),
  reason: Type.Optional(Reason),
  cheapest_change: Type.Optional(
    Type.Object({
      change: Type.String(),
      start: Type.Optional(Time('Start of the booking.')),
      end: Type.Optional(Time('End of the booking.')),
    }),
  ),
})
export type Quote = Static<typeof Quote>
