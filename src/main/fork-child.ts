/** Starts child processes with their memory bounded: the heap by V8, DuckDB by its own limit. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ChildProcess } from '../runner/child-handle.ts'

const HEAP_MIB = 160

/** The entry has the extension of this file: .ts in the clone, .js in an installed package. */
function entry(name: string): string {
  return fileURLToPath(new URL(`./${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url))
}

export interface ChildPool {
  /** The child that was started ahead, or a new one. */
  take(): ChildProcess
  /** Ends a child that nobody took. */
  close(): void
}

/** Starts one child at once; it loads its parts and waits for its settings. */
export function createChildPool(): ChildPool {
  let ahead: ChildProcess | undefined = forkStreamChild()
  return {
    take() {
      const child = ahead ?? forkStreamChild()
      ahead = undefined
      return child
    },
    close() {
      ahead?.kill()
      ahead = undefined
    },
  }
}

function forkStreamChild(): ChildProcess {
  const child = fork(entry('stream-child'), [], {
    execArgv: [`--max-old-space-size=${HEAP_MIB}`, '--max-semi-space-size=16', '--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'json',
  })
  child.on('error', () => undefined)
  return {
    send: (message) => {
      if (child.connected) child.send(message, () => undefined)
    },
    kill: () => child.kill('SIGKILL'),
    onMessage: (handler) => child.on('message', handler as (message: unknown) => void),
    onEnd: (handler) => {
      let said = false
      child.on('exit', (code, signal) => {
        if (!said) handler(signal === null ? `exit code ${code}` : `signal ${signal}`)
        said = true
      })
    },
  }
}
