/** The slots of a stream: it has no end, so it settles one slot after the other and holds the next. */
import { estimateOf, type CpuMicros } from '../../core/service/amounts.ts'
import { failure } from '../../core/errors.ts'
import type { Claimed } from '../../state/runs/claim.ts'
import { roll } from '../../state/runs/longer-holds.ts'
import type { Context } from '../context.ts'
import {
  NOTHING_MEASURED,
  measuredOf,
  stop,
  stopCauseOf,
  unentered,
  type Rolling,
  type Running,
  type SlotUse,
} from './running-execution.ts'

/** The start: its claim holds the first slot. */
export function rollingOf({ now, slots }: Context, claimed: Claimed): Rolling {
  return {
    atMs:
      performance.now() + Math.max(0, claimed.booked_until.getTime() - now().getTime() - slots.rollAheadMs),
    ahead: estimateOf(claimed.cpu_cores, slots.slotMinutes),
    entered: NOTHING_MEASURED,
    last: null,
    entry: { name: 'none' },
  }
}

/**
 * Settles the last slot of a stream and holds the next. If nothing is left to hold, the stream stops after a
 * commit or goes into debt, by the tenant's policy.
 */
export async function rollOn(context: Context, run: Running, rolling: Rolling): Promise<void> {
  const { entry } = rolling
  if (entry.name === 'entering') return
  const measured = measuredOf(run)
  const use: SlotUse = entry.name === 'unanswered' ? entry.use : { used: unentered(run, measured), measured }
  rolling.entry = { name: 'entering', use }
  const rolled = await enter(context, run, rolling, use)
  if (rolled === 'unanswered') {
    // The database is away: the use is recorded when it is back. The lease decides whether that is in time.
    rolling.entry = { name: 'unanswered', use }
    rolling.atMs = performance.now() + 1_000
    return
  }
  if (rolled === 'lost') {
    rolling.entry = { name: 'unanswered', use }
    return stop(run, 'lost')
  }
  const before = run.held
  Object.assign(rolling, { entered: use.measured, last: rolled.at, entry: { name: 'none' } })
  rolling.atMs += nextRollMs(context, run, rolled.held)
  run.held = rolled.held
  if (rolled.held === 0n && run.limits.overage === 'stop')
    stop(run, { code: 'hold_exhausted', params: { held: Number(before / 3_600_000n) / 1_000 } })
}

/** A stream that could hold less than a slot looks again before that is used up. */
const BEFORE_EMPTY_MS = 30_000

function nextRollMs({ slots }: Context, { claimed }: Running, held: CpuMicros): number {
  const slotMs = slots.slotMinutes * 60_000
  if (held === 0n) return slotMs
  const coveredMs = Number(held / BigInt(claimed.cpu_cores)) / 1_000
  return Math.min(slotMs, Math.max(1_000, coveredMs - BEFORE_EMPTY_MS))
}

async function enter(
  context: Context,
  run: Running,
  rolling: Rolling,
  { used }: SlotUse,
): Promise<{ held: bigint; at: Date } | 'lost' | 'unanswered'> {
  const { execution_id: executionId, generation } = run.claimed
  const { ahead, last } = rolling
  const slot = { executionId, generation, used, ahead, last, now: context.now() }
  try {
    return (await context.gate.transact((tx) => roll(tx, slot))) ?? 'lost'
  } catch {
    return 'unanswered'
  }
}

/**
 * Settles the use of a roll whose answer was lost before any other use is recorded, which would count it
 * twice. Throws while the database is away.
 */
export async function settleRoll(context: Context, run: Running, rolling: Rolling): Promise<void> {
  if (rolling.entry.name === 'unanswered') await rollOn(context, run, rolling)
  if (rolling.entry.name === 'unanswered' && stopCauseOf(run) !== 'lost')
    throw failure('database_unreachable', {
      address: 'its configured address',
      reason: 'a slot could not be settled',
    })
}
