/**
 * Which booked executions a runner starts now. What was booked fits by construction; only a run that outran
 * its booking can stand in the way. Pure, as cycle.ts is.
 */
import type { OfferedCapacity } from '../core/service/namespaces.ts'

/** What an execution takes of its namespace. */
export interface Taken {
  namespace: string
  cpuCores: number
  memoryGb: number
}

export interface RunningExecution extends Taken {
  /** Whether this runner started it. */
  isOwn: boolean
}

export interface DueExecution extends Taken {
  executionId: string
  jobId: string
  bookedFromMs: number
}

export interface StartSnapshot {
  nowMs: number
  running: RunningExecution[]
  /** In the order in which they start, the longest due at the front. */
  due: DueExecution[]
  capacity: OfferedCapacity
  /** This runner's part of all runners, from 0 to 1. */
  share: number
  limit: number
}

/** A runner takes no more than its share for so long: the others look twice as often. */
export const OTHERS_FIRST_MS = 1_000

interface Room {
  cpuCores: number
  memoryGb: number
}

/**
 * Ids of the executions to start, one of a job. The first of a namespace that does not fit reserves what it
 * needs, so that smaller ones behind it cannot delay it forever. A runner leaves to the others what is
 * beyond its share; what nobody took in time it takes all the same, so that each booking starts while one
 * runner lives.
 */
export function chooseStarts({ nowMs, running, due, capacity, share, limit }: StartSnapshot): string[] {
  const free = freeOf(capacity, 1, running)
  const own = freeOf(
    capacity,
    share,
    running.filter((run) => run.isOwn),
  )
  const jobs = new Set<string>()
  const reserved = new Set<string>()
  const chosen: string[] = []
  for (const execution of due) {
    if (chosen.length === limit) break
    const { namespace, jobId } = execution
    const [room, ownRoom] = [free.get(namespace), own.get(namespace)]
    if (jobs.has(jobId) || room === undefined || ownRoom === undefined) continue
    if (!fits(room, execution)) {
      if (!reserved.has(namespace)) take(room, execution)
      reserved.add(namespace)
      continue
    }
    if (!fits(ownRoom, execution) && nowMs - execution.bookedFromMs < OTHERS_FIRST_MS) continue
    jobs.add(jobId)
    chosen.push(execution.executionId)
    take(room, execution)
    take(ownRoom, execution)
  }
  return chosen
}

/** A share of what is offered, less what runs. */
function freeOf(capacity: OfferedCapacity, share: number, running: Taken[]): Map<string, Room> {
  const free = new Map<string, Room>(
    Object.entries(capacity).map(([namespace, { cpuCores, memoryGb }]) => [
      namespace,
      { cpuCores: Math.ceil(cpuCores * share), memoryGb: Math.ceil(memoryGb * share) },
    ]),
  )
  for (const run of running) {
    const room = free.get(run.namespace)
    if (room !== undefined) take(room, run)
  }
  return free
}

const fits = (room: Room, { cpuCores, memoryGb }: Taken): boolean =>
  room.cpuCores >= cpuCores && room.memoryGb >= memoryGb

function take(room: Room, { cpuCores, memoryGb }: Taken): void {
  room.cpuCores -= cpuCores
  room.memoryGb -= memoryGb
}
