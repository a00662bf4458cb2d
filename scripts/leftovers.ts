/** Processes that a run of tests left behind: servers of tests that timed out, and what those had started. */
import { readFileSync, readdirSync } from 'node:fs'

export interface Leftover {
  pid: number
  command: string
}

/**
 * Processes of this machine that were started with `TMPDIR` at this folder or below: each run of tests has one of
 * its own. Empty where the system does not tell (no /proc).
 */
export function leftoversOf(temporaryFolder: string): Leftover[] {
  return pids()
    .filter((pid) => pid !== process.pid && environmentOf(pid).includes(`TMPDIR=${temporaryFolder}`))
    .map((pid) => ({ pid, command: commandOf(pid) }))
}

/** Ends them, and gives their commands for the report. */
export function endLeftovers(temporaryFolder: string): string[] {
  const leftovers = leftoversOf(temporaryFolder)
  for (const { pid } of leftovers) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended meanwhile.
    }
  }
  return leftovers.map(({ pid, command }) => `${pid} ${command.slice(0, 160)}`)
}

function pids(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
}

const environmentOf = (pid: number): string => read(`/proc/${pid}/environ`)
const commandOf = (pid: number): string => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()

/** Empty for a process that has ended, or that belongs to somebody else. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
