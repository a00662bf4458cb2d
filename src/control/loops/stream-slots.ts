/** A stream's slots: it runs without an end, and so settles one slot after the other and holds the next. */
import { estimateOf } from '../../core/service/amounts.ts'
import { failure } from '../../core/errors.ts'
import type { Claimed } from '../../state/runs/claim.ts'
import { roll } from '../../state/runs/longer-holds.ts'
import type { Context } from '../context.ts'
import { stop, unentered, type Rolling, type Running } from './running-execution.ts'

/** As it begins: the first slot is held with its claim. */
export function rollingOf({ now, slots }: Context, claimed: Claimed): Rolling {
  return {
    atMs:
      performance.now() + Math.max(0, claimed.booked_until.getTime() - now().getTime() - slots.rollAheadMs),
    ahead: estimateOf(claimed.cpu_cores, slots.slotMinutes),
    entered: { cpuMicros: 0n, memoryByteMs: 0 },
    last: null,
    trying: undefined,
    busy: false,
  }
}

/**
 * A stream settles the last slot and holds the next. With nothing left to hold it stops after a commit, or
 * runs into debt, as the tenant chose.
 */
export async function rollOn(context: Context, one: Running, rolling: Rolling): Promise<void> {
  if (rolling.busy) return
  rolling.busy = true
  const { execution_id: executionId, generation } = one.claimed
  const trying = (rolling.trying ??= {
    used: unentered(one),
    measured: { cpuMicros: one.cpuMicros, memoryByteMs: one.memoryByteMs },
  })
  try {
    const rolled = await context.gate.transact((tx) =>
      roll(tx, {
        executionId,
        generation,
        used: trying.used,
        ahead: rolling.ahead,
        last: rolling.last,
        now: context.now(),
      }),
    )
    if (rolled === undefined) return stop(one, 'lost')
    const before = one.held
    Object.assign(rolling, { entered: trying.measured, last: rolled.at, trying: undefined })
    rolling.atMs += context.slots.slotMinutes * 60_000
    one.held = rolled.held
    if (rolled.held === 0n && one.limits.overage === 'stop')
      stop(one, { code: 'hold_exhausted', params: { held: Number(before / 3_600_000n) / 1_000 } })
  } catch {
    // The database is away: what was used is entered when it is back; the lease says whether that is in time.
    rolling.atMs = performance.now() + 1_000
  } finally {
    rolling.busy = false
  }
}

/**
 * What a roll entered whose answer was lost is known before anything else is entered: it would be counted
 * twice. Throws while the database is away.
 */
export async function settleRoll(context: Context, one: Running, rolling: Rolling): Promise<void> {
  if (rolling.trying !== undefined) await rollOn(context, one, rolling)
  if (rolling.trying !== undefined && one.stopFor !== 'lost')
    throw failure('database_unreachable', {
      address: 'its configured address',
      reason: 'a slot could not be settled',
    })
}
