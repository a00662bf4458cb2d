/**
 * A service with a clock that tests move, and its queue from outside: buyers, executions, rounds, claims and
 * ends.
 */
import { expect } from 'vitest'
import { schedulerRound } from '../../src/control/loops/scheduler.ts'
import { enqueue } from '../../src/state/queue.ts'
import { claim, type Claimed } from '../../src/state/runs/claim.ts'
import { finish } from '../../src/state/runs/ending.ts'
import { booksOf, IN_ORDER } from './books-of-capacity.ts'
import { JOB, purchase, testService, type TestService } from './service.ts'

export const CAPACITY = {
  'dedicated-cpu-ns': { cpuCores: 32, memoryGb: 64 },
  'vcpu-hours-ns': { cpuCores: 20, memoryGb: 40 },
  'draft-ingestion-ns': { cpuCores: 8, memoryGb: 16 },
}

export interface Buyer {
  id: string
  jobs: string[]
}

interface Asked {
  namespace?: 'vcpu-hours-ns' | 'dedicated-cpu-ns' | 'draft-ingestion-ns'
  cpuCores?: number
  memoryGb?: number
  minutes?: number
  inMs?: number
}

interface Clock {
  ms: number
  names: number
}

export async function queueWorld() {
  const clock: Clock = { ms: Date.now(), names: 0 }
  const now = (): Date => new Date(clock.ms)
  const service = await testService({ capacity: CAPACITY, now })
  const { gate } = service.context
  return {
    service,
    clock,
    now,
    buyer: (wanted: Wanted = {}) => makeBuyer(service, clock, wanted),
    queue: (tenant: Buyer, jobId: string, more: Asked = {}): Promise<string | undefined> =>
      gate.transact((tx) => enqueue(tx, queuedAs(tenant, jobId, more, clock))),
    round: (): Promise<void> => schedulerRound(service.context),
    take: (limit = 100): Promise<Claimed[]> =>
      gate.transact((tx) =>
        claim(tx, { runner: 'test', now: now(), leaseMs: 15_000, limit, capacity: CAPACITY }),
      ),
    done: (
      { execution_id: executionId, generation }: { execution_id: string; generation: bigint },
      cpuMicros = 60_000_000n,
      outcome: 'succeeded' | 'requeued' | 'failed' = 'succeeded',
    ): Promise<void> => {
      const used = { cpuMicros, memoryGbSeconds: 1n, bookedMicros: cpuMicros }
      const by = { actor: 'test', now: now(), settings: service.context.slots }
      const ending = { executionId, generation, outcome, used, receipt: {}, tryAfter: now() }
      return gate.transact((tx) => finish(tx, ending, by))
    },
    row: async (id: string) =>
      gate.service
        .selectFrom('job_executions')
        .selectAll()
        .where('execution_id', '=', id)
        .executeTakeFirstOrThrow(),
    lots: async (tenant: Buyer) =>
      gate.service.selectFrom('ledger_lots').selectAll().where('tenant_id', '=', tenant.id).execute(),
    inOrder: async (): Promise<void> => expect(await booksOf(service.url, now())).toMatchObject(IN_ORDER),
  }
}

/** What a buyer has, and how many jobs. */
interface Wanted {
  hours?: number
  units?: number
  jobs?: number
  policy?: object
}

async function makeBuyer(
  service: TestService,
  clock: Clock,
  { hours = 0, units = 0, jobs = 1, policy = {} }: Wanted,
): Promise<Buyer> {
  clock.names += 1
  const { id, owner: token } = await service.tenant(`buyer ${clock.names}`)
  await service.call('PATCH', `/tenants/${id}`, { body: { policy } })
  const from = new Date(clock.ms - 3_600_000)
  const buy = async (type: 'vcpu_hours' | 'dedicated_units', quantity: number): Promise<void> => {
    const body = purchase(type, quantity, from)
    expect((await service.call('POST', `/tenants/${id}/purchases`, { token, body })).status).toBe(201)
  }
  if (hours > 0) await buy('vcpu_hours', hours)
  if (units > 0) await buy('dedicated_units', units)
  const made: string[] = []
  for (let i = 0; i < jobs; i += 1) {
    const body = { ...JOB, job_name: `job ${i}`, schedule_cron: null }
    const job = await service.call<{ job_id: string }>('POST', `/tenants/${id}/jobs`, { token, body })
    made.push(job.body.job_id)
  }
  return { id, jobs: made }
}

function queuedAs({ id }: Buyer, jobId: string, more: Asked, clock: Clock): Parameters<typeof enqueue>[1] {
  return {
    jobId,
    tenantId: id,
    namespace: more.namespace ?? 'vcpu-hours-ns',
    cpuCores: more.cpuCores ?? 1,
    memoryGb: more.memoryGb ?? 2,
    estimatedMinutes: more.minutes ?? 10,
    priority: 'medium',
    preferred: new Date(clock.ms + (more.inMs ?? 0)),
    deadline: new Date(clock.ms + 24 * 3_600_000),
  }
}
