/** The use of a process and all its descendants, as the operating system counts it (proc(5)). */
import { readFileSync, readdirSync } from 'node:fs'

export interface Measured {
  cpuMicros: bigint
  memoryBytes: number
}

/** Ticks of /proc/PID/stat are hundredths of a second on Linux (sysconf(_SC_CLK_TCK)). */
const TICK_MICROS = 10_000n

/**
 * CPU time so far, including ended descendants, and present resident memory. Undefined if the process is gone
 * or there is no /proc.
 */
export function measure(pid: number): Measured | undefined {
  const own = statOf(pid)
  if (own === undefined) return undefined
  const total = { cpuMicros: own.ticks * TICK_MICROS, memoryBytes: own.memoryBytes }
  for (const child of childrenOf(pid)) {
    const below = measure(child)
    if (below === undefined) continue
    total.cpuMicros += below.cpuMicros
    total.memoryBytes += below.memoryBytes
  }
  return total
}

function statOf(pid: number): { ticks: bigint; memoryBytes: number } | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
    // Fields 14 to 17: its own user and system time and those of children it has waited for; 24: resident
    // pages.
    const ticks = BigInt(fields[11]) + BigInt(fields[12]) + BigInt(fields[13]) + BigInt(fields[14])
    return { ticks, memoryBytes: Number(fields[21]) * 4_096 }
  } catch {
    return undefined
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
        .trim()
        .split(' ')
        .filter((child) => child !== '')
        .map(Number),
    )
  } catch {
    return []
  }
}
