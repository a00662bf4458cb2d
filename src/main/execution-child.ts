/** Entry point of the child that runs one execution: disposable, bounded, and told everything by its parent's channel. */
import { HeadraceError, reasonOf } from '../core/errors.ts'
import { runTransfer } from './service/transfer-job.ts'
import type { FromChild, ToExecution } from './service/work.ts'

const PROGRESS_MS = 500

process.on('message', (message: ToExecution) => {
  if (message.type === 'run') void run(message)
})
// The runner is gone: its lease ends, and another will run this again.
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

async function run({ work }: ToExecution): Promise<void> {
  let lastMs = 0
  try {
    process.stdout.write(`${new Date().toISOString()} ${work.draft ? 'draft ' : ''}execution ${work.executionId}: ${work.sourceType}\n`)
    const { receipt, cursor } = await runTransfer(work, (rows, bytes, phase) => {
      if (performance.now() - lastMs < PROGRESS_MS) return
      lastMs = performance.now()
      send({ type: 'progress', rows, bytes, phase })
    }, () => performance.now() / 1000)
    process.stdout.write(`${new Date().toISOString()} ${receipt.rows} rows, ${receipt.rejected} rejected, ${receipt.bytes_read} bytes in ${receipt.work_seconds} s\n`)
    send({ type: 'done', receipt, cursor, cpuMicros: cpuMicros() })
  } catch (error) {
    const { code, params, next } = error instanceof HeadraceError ? error : { code: 'internal', params: { reason: reasonOf(error) }, next: '' }
    process.stdout.write(`${new Date().toISOString()} ${code}: ${reasonOf(error)}${next === '' ? '' : `\nTry: ${next}`}\n`)
    send({ type: 'failed', code, params, message: reasonOf(error), cpuMicros: cpuMicros() })
  } finally {
    setTimeout(() => process.exit(), 50)
  }
}
