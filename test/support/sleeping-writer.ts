/**
 * A writer of a table in a process of its own, for a test to stop in its tracks: it commits one file after
 * the other and prints each that was acknowledged, until it is refused. Arguments: address of the table,
 * name, seed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ObjectStore } from '../../src/core/object-store.ts'
import { HeadraceError } from '../../src/core/errors.ts'
import { openTable } from '../../src/lakehouse/table.ts'
import { openStore } from '../../src/operations/stores.ts'
import { createChance } from './chance.ts'

const [address, name, seed] = process.argv.slice(2)
const chance = createChance(Number(seed))
const store = await openStore(address)
/** The moments around the creation are a few thousandths of a second long: here the stop finds them open. */
const pausing: ObjectStore = {
  ...store,
  async writeIfAbsent(entry, bytes) {
    await sleep(20 * chance())
    const created = await store.writeIfAbsent(entry, bytes)
    await sleep(20 * chance())
    return created
  },
}
const table = await openTable(pausing)
if (table === undefined) throw new Error(`there is no table at ${address}`)
for (let n = 0; ; n += 1) {
  const path = `${name}-${n}`
  const adds = [{ path, partitionValues: {}, size: 1, stats: '{"numRecords":1}' }]
  try {
    await table.commit({ operation: 'WRITE', adds, removes: [], marks: {}, expect: {} }, Date.now())
  } catch (error) {
    process.stdout.write(`refused ${error instanceof HeadraceError ? error.code : String(error)}\n`)
    break
  }
  process.stdout.write(`kept ${path}\n`)
}
