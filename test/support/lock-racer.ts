/**
 * Takes one lock again and again, and says when somebody else had it too. Arguments: folder, milliseconds.
 */
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { lockJob } from '../../src/host/lock.ts'

const [folder, ms] = process.argv.slice(2)
const inside = join(folder, 'inside')
let [taken, together] = [0, 0]
for (const end = Date.now() + Number(ms); Date.now() < end;) {
  const unlock = await lockJob(folder, 'stream one').catch(() => undefined)
  if (unlock === undefined) continue
  taken += 1
  const file = await open(inside, 'wx').catch(() => undefined)
  if (file === undefined) together += 1
  await file?.close()
  await new Promise((done) => setTimeout(done, 1))
  if (file !== undefined) await rm(inside, { force: true })
  await unlock()
}
process.stdout.write(JSON.stringify({ taken, together }))
