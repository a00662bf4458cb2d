/** Merging sorted runs of keys. */
import { createReadStream, createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { rename } from 'node:fs/promises'
import type { ObjectStore } from '../core/object-store.ts'
import { compareKeys } from '../planning/sorted-keys.ts'
import type { KeyRun } from './key-run.ts'

interface Cursor {
  next(): Promise<boolean>
  block: Int32Array
  at: number
}

/** Merges sorted runs into one, block by block: memory does not grow with the runs. */
export async function mergeRuns(store: ObjectStore, runs: KeyRun[], name: string): Promise<KeyRun> {
  await store.local.stage(runs.map((run) => run.name))
  await store.local.makeFolder(name.slice(0, name.lastIndexOf('/')))
  const cursors = await Promise.all(runs.map((run) => openCursor(store.local.path(run.name))))
  const temporary = `${store.local.path(name)}.merging`
  const out = createWriteStream(temporary)
  const buffer = new Int32Array(1 << 18)
  let filled = 0
  let count = 0
  const flush = async (): Promise<void> => {
    if (filled > 0 && !out.write(Buffer.from(buffer.slice(0, filled).buffer))) await once(out, 'drain')
    filled = 0
  }
  for (;;) {
    let least: Cursor | undefined
    for (const cursor of cursors) {
      if (cursor.at >= cursor.block.length && !(await cursor.next())) continue
      if (least === undefined || compareKeys(cursor.block, cursor.at, least.block, least.at) < 0)
        least = cursor
    }
    if (least === undefined) break
    for (let k = 0; k < 4; k += 1) buffer[filled++] = least.block[least.at + k]
    least.at += 4
    count += 1
    if (filled === buffer.length) await flush()
  }
  await flush()
  out.end()
  await once(out, 'close')
  await rename(temporary, store.local.path(name))
  await store.local.sync([name])
  return { name, count, newestMs: Math.max(...runs.map((run) => run.newestMs)) }
}

async function openCursor(path: string): Promise<Cursor> {
  const chunks = createReadStream(path, { highWaterMark: 1 << 20 })[Symbol.asyncIterator]()
  let rest = Buffer.alloc(0)
  const cursor: Cursor = {
    block: new Int32Array(0),
    at: 0,
    async next() {
      const { value, done } = await chunks.next()
      if (done) return false
      const bytes = Buffer.concat([rest, value as Buffer])
      const whole = bytes.length - (bytes.length % 16)
      rest = Buffer.from(bytes.subarray(whole))
      cursor.block = new Int32Array(Uint8Array.from(bytes.subarray(0, whole)).buffer)
      cursor.at = 0
      return whole > 0 || cursor.next()
    },
  }
  return cursor
}
