/** Use cases of executions: lists, logs, cancel, why; quotes and the calendar of capacity. */
import { open } from 'node:fs/promises'
import type { Execution, Quote } from './schemas/executions.ts'
import type { JobRequest } from './schemas/jobs.ts'
import type { Service } from './service.ts'
import { estimateOf, vcpuHoursUp } from '../core/service/amounts.ts'
import { failure, HeadraceError } from '../core/errors.ts'
import { decide } from '../scheduling/cycle.ts'
import type { Queued, Snapshot } from '../scheduling/snapshot.ts'
import { reasonText, type ReasonText, type ServiceReason } from '../scheduling/reasons.ts'
import { timingOf } from '../scheduling/requirements.ts'
import type { PriceList } from '../scheduling/terms.ts'
import { sourceType } from '../learning/rules.ts'
import { gridAt, listSlots, readSlots, type SlotSettings } from '../state/capacity.ts'
import type { Db } from '../state/database.ts'
import { readTenants } from '../state/tenant-capacity.ts'
import { findExecution, listExecutions, type ExecutionRow } from '../state/executions.ts'
import { currentPrices } from '../state/purchases.ts'
import { countAhead } from '../state/queue.ts'
import { cancel } from '../state/runs/cancellation.ts'
import { found, listed, timeOf, type Context } from './context.ts'
import { targetOf } from './job-promotion.ts'
import { withTier } from './sla-tiers.ts'
import { isFetched } from '../executions/source-kinds.ts'
import { logPath } from './execution-logs.ts'

type Part = Pick<
  Service,
  'listExecutions' | 'getExecution' | 'executionLog' | 'cancelExecution' | 'why' | 'quote' | 'slots'
>

/** An answer holds at most this much of the end of a log. */
const LOG_BYTES = 256 * 1024

export function executionCases(context: Context): Part {
  const { gate, now, slots } = context
  const find = async (db: Db, tenantId: string, id: string): Promise<ExecutionRow> =>
    found(
      await findExecution(db, tenantId, id),
      'execution',
      id,
      `GET /api/v1/tenants/${tenantId}/executions`,
    )
  const get = (tenantId: string, id: string): Promise<ExecutionRow> =>
    gate.readAs(tenantId, (db) => find(db, tenantId, id))
  return {
    async listExecutions(tenantId, { after, limit, job_id: jobId, status }) {
      const rows = await gate.readAs(tenantId, (db) =>
        listExecutions(db, tenantId, { jobId, status, after: cursorOf(after), limit }),
      )
      const { next } = listed(rows, limit, (row) => `${row.created_at.toISOString()}_${row.execution_id}`)
      return { items: rows.map(executionOf), next }
    },
    getExecution: async (tenantId, id) => executionOf(await get(tenantId, id)),
    async executionLog(tenantId, id) {
      await get(tenantId, id)
      return readEnd(logPath(context.home, id), LOG_BYTES)
    },
    async cancelExecution(by, tenantId, id) {
      // Runs as the service: the capacity that it gives back may be shared by all.
      return gate.transact(async (tx) => {
        await cancel(tx, { tenantId, executionId: id, actor: by.name, now: now(), settings: slots })
        return executionOf(await find(tx, tenantId, id))
      })
    },
    async why(tenantId, id) {
      const row = await get(tenantId, id)
      return { execution_id: id, status: row.status, ...(await whyOf(context, row)) }
    },
    quote: (tenantId, body) => quote(context, tenantId, body),
    async slots({ namespace, from, hours }) {
      const start =
        from === undefined ? new Date(gridAt(now().getTime(), slots).originMs) : timeOf(from, 'from')
      const until = new Date(start.getTime() + hours * 3_600_000)
      const rows = await listSlots(gate.service, { namespace, from: start, until, limit: 2_000 })
      return { items: rows, next: undefined }
    },
  }
}

function cursorOf(after: string | undefined): { at: Date; id: string } | undefined {
  if (after === undefined) return undefined
  const [at, id] = after.split('_')
  if (!/^[0-9a-f-]{36}$/.test(id ?? ''))
    throw failure('request_invalid', { reason: 'after is not the next value of a list.' })
  return { at: timeOf(at, 'after'), id }
}

/** A row as answers show it: the reason with its text and next step. */
function executionOf(row: ExecutionRow): Execution {
  return { ...row, reason: row.reason === null ? null : reasonText(row.reason) }
}

async function whyOf({ gate, now }: Context, row: ExecutionRow): Promise<ReasonText> {
  if (row.reason !== null) return reasonText(row.reason)
  if (row.status === 'booked' && row.booked_from !== null && row.booked_from > now())
    return reasonText({ code: 'waits_for_time', params: { at: row.booked_from.toISOString() } })
  if (row.status === 'scheduled' || row.status === 'booked') {
    const ahead = await countAhead(gate.service, row.execution_id)
    return reasonText({ code: 'waits_in_queue', params: { ahead } })
  }
  return {
    code: row.status,
    message:
      row.status === 'running'
        ? 'The execution is running.'
        : `The execution ${row.status.replace('_', ' ')} and used ${row.resource_used?.vcpu_hours ?? 0} vCPU-hours.`,
    next: `To see its receipt: headrace executions show ${row.execution_id}`,
  }
}

const MINUTES_A_DAY = 1_440

/**
 * What would happen to a job that is submitted now. The scheduler's own step decides it, on a snapshot that
 * is thrown away.
 */
async function quote(context: Context, tenantId: string, body: JobRequest): Promise<Quote> {
  sourceType(body.source_type)
  const { gate, now, slots } = context
  const requirements = body.resource_requirements
  const sla = await withTier(gate.service, body.sla_requirements ?? {})
  const at = now()
  const need = needOf(body, slots, await currentPrices(gate.service))
  const { cost, minutes } = need
  const target = await gate
    .readAs(tenantId, (db) => targetOf(db, { tenant_id: tenantId, resource_requirements: requirements }, at))
    .catch((error: unknown) => {
      if (error instanceof HeadraceError && error.code === 'no_purchase') return error
      throw error
    })
  if (target instanceof HeadraceError) return withoutPurchase(need, target)
  const { preferred, deadline } = timingOf(requirements, at)
  const asked: Queued = {
    executionId: 'quote',
    tenantId,
    namespace: target,
    cpuCores: requirements.cpu_cores,
    memoryGb: requirements.memory_gb,
    estimatedMinutes: minutes,
    preferredMs: preferred.getTime(),
    deadlineMs: deadline.getTime(),
  }
  const snapshot = await snapshotFor(context, tenantId, at)
  const { bookings, waits } = decide({ ...snapshot, queue: [asked] })
  if (bookings.length === 0)
    return {
      fits: false,
      namespace: target,
      cost,
      keeps_sla: false,
      reason: reasonText(waits[0].reason),
      cheapest_change: cheapestChange(snapshot, asked, waits[0].reason),
    }
  const [{ namespace, fromMs, untilMs, holds }] = bookings
  const keeps = need.continuous || sla.max_runtime_minutes === undefined || minutes <= sla.max_runtime_minutes
  const change = `Set max_runtime_minutes to ${requirements.estimated_runtime_minutes} or give it more cores.`
  return {
    fits: true,
    namespace,
    start: new Date(fromMs).toISOString(),
    end: new Date(untilMs).toISOString(),
    cost: holds.length > 0 ? cost : { ...cost, amount_cents: 0 },
    keeps_sla: keeps,
    ...(keeps ? {} : { cheapest_change: { change } }),
  }
}

/** The capacity that a job takes, and its cost. */
interface Need {
  /** It reads until it is stopped. */
  continuous: boolean
  minutes: number
  hours: number
  cost: Quote['cost']
}

/** A stream holds one slot at a time and has no end, so its cost is stated as the most for one day. */
function needOf(body: JobRequest, { slotMinutes }: SlotSettings, prices: PriceList): Need {
  const requirements = body.resource_requirements
  const continuous =
    body.destination_config.type === 'zones' &&
    (body.schedule_cron ?? null) === null &&
    !isFetched(body.source_type, body.source_config)
  const minutes = continuous ? slotMinutes : requirements.estimated_runtime_minutes
  const hours = vcpuHoursUp(estimateOf(requirements.cpu_cores, continuous ? MINUTES_A_DAY : minutes))
  const cost: Quote['cost'] = {
    vcpu_hours: hours,
    amount_cents: Math.ceil(hours * prices.vcpu_hours.monthly),
    currency: prices.currency,
    per: continuous ? 'day' : 'run',
  }
  return { continuous, minutes, hours, cost }
}

const withoutPurchase = ({ cost, hours }: Need, { code, message, next }: HeadraceError): Quote => ({
  fits: false,
  cost,
  keeps_sla: false,
  reason: { code, message, next },
  cheapest_change: { change: `Buy ${Math.ceil(hours)} vCPU-hours.` },
})

/** The current capacity for one tenant, with an empty queue. */
async function snapshotFor(
  { gate, slots, capacity, spillover }: Context,
  tenantId: string,
  at: Date,
): Promise<Snapshot> {
  const nowMs = at.getTime()
  const grid = gridAt(nowMs, slots)
  return {
    nowMs,
    grid,
    free: await readSlots(gate.service, grid),
    total: capacity,
    tenants: await readTenants(gate.service, grid, [tenantId], { nowMs, lock: false }),
    queue: [],
    spillover,
  }
}

/** Tries changes from the free one to the most expensive; returns the first that fits. */
function cheapestChange(
  snapshot: Snapshot,
  asked: Queued,
  reason: ServiceReason,
): NonNullable<Quote['cheapest_change']> {
  const horizonMs = snapshot.grid.originMs + snapshot.grid.count * snapshot.grid.slotMs
  const tries: [string, Partial<Queued>][] = [
    [
      `Allow a later start: sla_window_hours ${Math.ceil((horizonMs - asked.preferredMs) / 3_600_000)}`,
      { deadlineMs: horizonMs },
    ],
    ...[0.75, 0.5, 0.25].map((share): [string, Partial<Queued>] => {
      const cpuCores = Math.max(1, Math.floor(asked.cpuCores * share))
      const memoryGb = Math.max(2, Math.floor(asked.memoryGb * share))
      return [
        `Ask for ${cpuCores} cores and ${memoryGb} GB`,
        {
          cpuCores,
          memoryGb,
          estimatedMinutes: Math.ceil((asked.estimatedMinutes * asked.cpuCores) / cpuCores),
        },
      ]
    }),
  ]
  for (const [change, difference] of tries) {
    const [booking] = decide({ ...snapshot, queue: [{ ...asked, ...difference }] }).bookings
    if (booking !== undefined)
      return {
        change,
        start: new Date(booking.fromMs).toISOString(),
        end: new Date(booking.untilMs).toISOString(),
      }
  }
  return { change: reasonText(reason).next }
}

async function readEnd(path: string, bytes: number): Promise<string> {
  try {
    await using file = await open(path)
    const { size } = await file.stat()
    const buffer = Buffer.alloc(Math.min(size, bytes))
    await file.read(buffer, 0, buffer.length, size - buffer.length)
    return buffer.toString('utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
