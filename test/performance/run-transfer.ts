/** Entry point of our side of the transfer benchmark: one execution as the service's child runs it. */
import { runTransfer } from '../../src/executions/transfer-job.ts'
import type { Work } from '../../src/executions/work.ts'

const work = JSON.parse(process.argv[2]) as Work
const { receipt } = await runTransfer(
  work,
  () => undefined,
  () => performance.now() / 1000,
)
process.stdout.write(JSON.stringify({ rows: receipt.rows, rejected: receipt.rejected }))
process.exit()
