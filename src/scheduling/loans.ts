/**
 * Decides which loans are recalled. Pure. An owner that has work for its units gets them back, the newest
 * loan first, and no more than it needs.
 */
import { UNIT } from '../core/service/amounts.ts'

export interface Size {
  cpuCores: number
  memoryGb: number
}

export interface Loan extends Size {
  executionId: string
  /** The later it started, the less is lost when it ends. */
  startedMs: number
}

export interface Owner {
  units: number
  /** What runs in its units now: its own work and loans. */
  used: Size
  loans: Loan[]
  /** What it could start now, in its order. */
  wants: Size[]
}

/** Executions to end. None if what it wants fits beside them, or would not fit without them either. */
export function loansToRecall({ units, used, loans, wants }: Owner): string[] {
  const free: Size = {
    cpuCores: units * UNIT.cpuCores - used.cpuCores,
    memoryGb: units * UNIT.memoryGb - used.memoryGb,
  }
  const lent = loans.toSorted((a, b) => b.startedMs - a.startedMs)
  const recalled: string[] = []
  for (const want of wants) {
    const room = { ...free }
    const needed: Loan[] = []
    for (const loan of lent) {
      if (room.cpuCores >= want.cpuCores && room.memoryGb >= want.memoryGb) break
      if (recalled.includes(loan.executionId)) continue
      needed.push(loan)
      room.cpuCores += loan.cpuCores
      room.memoryGb += loan.memoryGb
    }
    if (room.cpuCores < want.cpuCores || room.memoryGb < want.memoryGb) continue
    recalled.push(...needed.map((loan) => loan.executionId))
    Object.assign(free, { cpuCores: room.cpuCores - want.cpuCores, memoryGb: room.memoryGb - want.memoryGb })
  }
  return recalled
}
