/** The service of walks: its API in this process, its scheduler and runner in one that may be killed. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createLeaseWatch, schedulerRound } from '../../src/control/loops/scheduler.ts'
import { killAtEnd } from './at-end.ts'
import { freshDatabase, openFolder, testService, type TestService } from './service.ts'

const RUNNER = resolve('test/support/walk-runner.ts')
const pids = new Set<number>()
killAtEnd(pids)

/** Walks go on beside each other: a check may have to wait for a core. */
const PATIENT = { processes: 1, deadlineMs: 60_000, memoryMib: 256, waiting: 8 }

export interface WalkPlace {
  service: TestService
  home: string
  /** Its children are the executions. */
  runnerPid(): number
  /** The runner dies when it next passes this point; another takes its place. */
  dieAt(failpoint: string): void
  /** The runner dies now. */
  die(): void
  /** Waits until one runs that was not told to die; what the dead one ran is given back to the queue. */
  recovered(): Promise<void>
  close(): Promise<void>
}

export async function openWalkPlace(): Promise<WalkPlace> {
  const [url, home] = [await freshDatabase(), openFolder('headrace-walk-')]
  const service = await testService({ url, home, checks: PATIENT })
  let child = await startRunner(url, home)
  const isDead = (): boolean => child.exitCode !== null || child.signalCode !== null
  return {
    service,
    home,
    runnerPid: () => child.pid as number,
    // One that dies before it hears of it is dead too.
    dieAt: (failpoint) => void child.send(failpoint, () => undefined),
    die: () => void child.kill('SIGKILL'),
    async recovered() {
      if (child.killed && !isDead()) await once(child, 'exit')
      if (!isDead()) return
      // The scheduler's own round, for which the time of silence is over.
      await schedulerRound(service.context, createLeaseWatch(-1))
      child = await startRunner(url, home)
    },
    async close() {
      child.kill('SIGKILL')
      await service.close()
    },
  }
}

async function startRunner(url: string, home: string): Promise<ChildProcess> {
  const execArgv = ['--disable-warning=ExperimentalWarning']
  const child = fork(RUNNER, [url, home], { execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const pid = child.pid as number
  pids.add(pid)
  child.once('exit', () => pids.delete(pid))
  await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`the runner did not start: ${code}`)
    }),
  ])
  return child
}
