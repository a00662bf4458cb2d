/** Executions and quotes: when a job runs, and why then. */
import { Type } from 'typebox'
import { Free, Time, Id, nullable } from './fields.ts'

const Reason = Type.Object({ code: Type.String(), message: Type.String(), next: Type.String() })

export const Why = Type.Object({
  execution_id: Id('The execution.'),
  status: Type.String(),
  ...Reason.properties,
})

export const Execution = Type.Object({
  execution_id: Id('Its id.'),
  job_id: Id('Its job.'),
  tenant_id: Id('Its tenant.'),
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
