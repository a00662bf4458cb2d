/**
 * Entry point of the child that runs one execution: disposable and limited. Its parent's channel brings all
 * its input.
 */
import { fork } from 'node:child_process'
import { HeadraceError, reasonOf } from '../core/errors.ts'
import type { FromChild, Outcome, Progress, ToExecution, Work } from '../executions/work.ts'

const PROGRESS_MS = 500
const stopped = new AbortController()

process.on('message', (message: ToExecution) => {
  if (message.type === 'stop') stopped.abort()
  else void run(message)
})
// The runner is gone: its lease ends, and another runner will run this again.
process.on('disconnect', () => process.exit(1))
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)

function send(message: FromChild): void {
  if (process.connected) process.send?.(message)
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

const say = (text: string): void => void process.stdout.write(`${new Date().toISOString()} ${text}\n`)
const now = (): number => performance.now() / 1000

async function run({ type, work }: Exclude<ToExecution, { type: 'stop' }>): Promise<void> {
  try {
    if (type === 'batch') {
      const { publishZones } = await import('../executions/zone-job.ts')
      for (const batch of await publishZones(work))
        say(`published ${batch.published} rows of RAW versions ${batch.fromVersion} to ${batch.toVersion}`)
    } else {
      say(`${work.draft ? 'draft ' : ''}execution ${work.executionId}: ${work.sourceType}`)
      const { receipt, cursor } = await execute(work)
      say(
        `${receipt.rows} rows, ${receipt.rejected} rejected, ${receipt.bytes_read} bytes in ${receipt.work_seconds} s`,
      )
      send({ type: 'done', receipt, cursor, cpuMicros: cpuMicros() })
    }
  } catch (error) {
    const { code, params, next } =
      error instanceof HeadraceError
        ? error
        : { code: 'internal', params: { reason: reasonOf(error) }, next: '' }
    say(`${code}: ${reasonOf(error)}${next === '' ? '' : `\nTry: ${next}`}`)
    process.exitCode = 1
    send({ type: 'failed', code, params, message: reasonOf(error), cpuMicros: cpuMicros() })
  } finally {
    setTimeout(() => process.exit(), 50)
  }
}

async function execute(work: Work): Promise<Outcome> {
  let lastMs = 0
  const progress: Progress = (rows, bytes, phase, freshnessMs) => {
    if (performance.now() - lastMs < PROGRESS_MS) return
    lastMs = performance.now()
    send({ type: 'progress', rows, bytes, phase, freshnessMs })
  }
  if (work.destination.type !== 'zones')
    return (await import('../executions/transfer-job.ts')).runTransfer(work, progress, now)
  return (await import('../executions/zone-job.ts')).runZones(work, {
    progress,
    signal: stopped.signal,
    now,
    batch: () => batchBeside(work),
  })
}

/**
 * A batch sorts for seconds: in a separate process, so that the stream's commits continue. The next tick
 * makes up for a failed one.
 */
async function batchBeside(work: Work): Promise<void> {
  const child = fork(process.argv[1], [], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
    execArgv: process.execArgv,
  })
  child.send({ type: 'batch', work } satisfies ToExecution, () => undefined)
  await new Promise((done) => (child.once('exit', done), child.once('error', done)))
}
