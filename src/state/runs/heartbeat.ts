/** How a runner reports that its runs live, and learns which ones must stop. */
import { sql } from 'kysely'
import type { Tx } from '../database.ts'

/**
 * Why a runner must end a run: its tenant cancelled it, the owner of its units recalls them, or it belongs to
 * another runner.
 */
export type StopAsked = 'cancelled' | 'recalled' | 'lost'

interface Renewed {
  execution_id: string
  cancel_requested: boolean
  recalled: boolean
}

/** Renews leases and stores measurements. Returns the runs that must stop. */
export async function heartbeat(
  tx: Tx,
  {
    runner,
    now,
    leaseMs,
    alive,
  }: {
    runner: string
    now: Date
    leaseMs: number
    alive: { executionId: string; generation: bigint; progress: object }[]
  },
): Promise<{ execution_id: string; why: StopAsked }[]> {
  const { rows } = await sql<Renewed>`
    UPDATE job_executions x
    SET
      lease_until = ${new Date(now.getTime() + leaseMs)},
      progress = a.progress
    FROM unnest(
      ${alive.map((run) => run.executionId)}::uuid[],
      ${alive.map((run) => String(run.generation))}::bigint[],
      ${alive.map((run) => JSON.stringify(run.progress))}::jsonb[]
    ) AS a (execution_id, generation, progress)
    WHERE x.execution_id = a.execution_id
      AND x.generation = a.generation
      AND x.status = 'running'
      AND x.runner = ${runner}
    RETURNING x.execution_id, x.cancel_requested, x.recalled
  `.execute(tx)
  const renewed = new Map(rows.map((row) => [row.execution_id, row]))
  return alive.flatMap(({ executionId }) => {
    const why = whyStop(renewed.get(executionId))
    return why === undefined ? [] : [{ execution_id: executionId, why }]
  })
}

function whyStop(renewed: Renewed | undefined): StopAsked | undefined {
  if (renewed === undefined) return 'lost'
  if (renewed.cancel_requested) return 'cancelled'
  return renewed.recalled ? 'recalled' : undefined
}
