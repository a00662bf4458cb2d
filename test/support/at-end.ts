/**
 * What a test process started ends with it, each by itself, so that one which is gone already keeps none of
 * the others alive; then the folders go that they worked in.
 */
import { rmSync } from 'node:fs'

interface Ends {
  kills: (() => void)[]
  folders: string[]
}

/** One list a process: a worker loads this module anew for each test file. */
const place = globalThis as { headraceEnds?: Ends }
const ends = (place.headraceEnds ??= listen({ kills: [], folders: [] }))

function listen(all: Ends): Ends {
  process.on('exit', () => {
    // All of them before the first folder: the runner gives a worker half a second, and a database's folder
    // may take longer to go.
    for (const kill of all.kills.toReversed()) quietly(kill)
    for (const folder of all.folders.toReversed())
      quietly(() => rmSync(folder, { recursive: true, force: true }))
  })
  // The runner ends its workers with SIGTERM, which would skip the handler above.
  process.on('SIGTERM', () => process.exit(143))
  return all
}

function quietly(end: () => void): void {
  try {
    end()
  } catch {
    // It is gone already.
  }
}

export function atEnd(kill: () => void): void {
  ends.kills.push(kill)
}

export function removeAtEnd(folder: string): void {
  ends.folders.push(folder)
}

/** Ends each of the processes in a set that changes. */
export function killAtEnd(pids: Set<number>, signal: NodeJS.Signals = 'SIGKILL'): void {
  atEnd(() => pids.forEach((pid) => quietly(() => process.kill(pid, signal))))
}
