/** A scheduler and a runner in a process of their own, so that a walk can kill them. */
import { enableCompileCache } from 'node:module'
import { armFailpoint } from '../../src/core/failpoint.ts'
import { openService } from '../../src/control/open.ts'
import { startRunner } from '../../src/control/loops/runner.ts'
import { startScheduler } from '../../src/control/loops/scheduler.ts'

enableCompileCache()
const [databaseUrl, home] = process.argv.slice(2)
const { context } = await openService({ databaseUrl, home, version: 'test' })
const log = (event: object): void => void process.stderr.write(`${JSON.stringify(event)}\n`)
startScheduler(context, log)
startRunner(context, log)
process.on('message', (failpoint: string) => void armFailpoint(failpoint))
// The test is gone.
process.on('disconnect', () => process.exit())
process.send?.('ready')
