/** What a test process started ends with it: the newest first, before the folder it works in, and each by itself, so that one which is gone already keeps none of the others alive. */

const ends: (() => void)[] = []

process.on('exit', () => {
  for (const end of ends.toReversed()) {
    try {
      end()
    } catch {
      // It is gone already.
    }
  }
})
// The runner ends its workers with SIGTERM, which would skip the handler above.
process.on('SIGTERM', () => process.exit(143))

export function atEnd(end: () => void): void {
  ends.push(end)
}

/** Ends each of the processes in a set that changes. */
export function killAtEnd(pids: Set<number>, signal: NodeJS.Signals = 'SIGKILL'): void {
  atEnd(() => {
    for (const pid of pids) {
      try {
        process.kill(pid, signal)
      } catch {
        // It is gone already.
      }
    }
  })
}
