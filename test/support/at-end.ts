/** What a test process started ends with it: the newest first, before the folder it works in, and each by itself, so that one which is gone already keeps none of the others alive. */

/** One list a process: a worker loads this module anew for each test file. */
const place = globalThis as { headraceEnds?: (() => void)[] }
const ends = (place.headraceEnds ??= listen([]))

function listen(list: (() => void)[]): (() => void)[] {
  process.on('exit', () => list.toReversed().forEach(quietly))
  // The runner ends its workers with SIGTERM, which would skip the handler above.
  process.on('SIGTERM', () => process.exit(143))
  return list
}

function quietly(end: () => void): void {
  try {
    end()
  } catch {
    // It is gone already.
  }
}

export function atEnd(end: () => void): void {
  ends.push(end)
}

/** Ends each of the processes in a set that changes. */
export function killAtEnd(pids: Set<number>, signal: NodeJS.Signals = 'SIGKILL'): void {
  atEnd(() => pids.forEach((pid) => quietly(() => process.kill(pid, signal))))
}
