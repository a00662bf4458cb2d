/** Sorting keys and merging sorted runs. Words are signed 32-bit, the first decides almost always. */
import { createReadStream, createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { rename } from 'node:fs/promises'
import type { ObjectStore } from '../core/object-store.ts'
import type { KeyRun, SortedKeys } from './key-index.ts'

/**
 * Sorts keys given as four words each: three passes of radix sort on the first word, then insertion among the few that
 * share it. Returns the order as indexes; 30 ms a million where Array.sort takes seconds.
 */
export function sortOrder(words: Int32Array, count: number): Int32Array {
  let order = new Int32Array(count)
  let next = new Int32Array(count)
  for (let i = 0; i < count; i += 1) order[i] = i
  for (const shift of [0, 11, 22]) {
    const bits = shift === 22 ? 10 : 11
    const starts = new Int32Array((1 << bits) + 1)
    const mask = (1 << bits) - 1
    for (let i = 0; i < count; i += 1) starts[(((words[order[i] * 4] ^ 0x80000000) >>> shift) & mask) + 1] += 1
    for (let i = 0; i < mask + 1; i += 1) starts[i + 1] += starts[i]
    for (let i = 0; i < count; i += 1) next[starts[((words[order[i] * 4] ^ 0x80000000) >>> shift) & mask]++] = order[i]
    ;[order, next] = [next, order]
  }
  for (let i = 1; i < count; i += 1) {
    for (let j = i; j > 0 && words[order[j] * 4] === words[order[j - 1] * 4] && compare(words, order[j] * 4, words, order[j - 1] * 4) < 0; j -= 1)
      [order[j], order[j - 1]] = [order[j - 1], order[j]]
  }
  return order
}

/** The keys in order, copied together. `take` says which (by original index); all when absent. */
export function gather(words: Int32Array, order: Int32Array, take?: Uint8Array): SortedKeys {
  const sorted = new Int32Array(order.length * 4)
  let count = 0
  for (let i = 0; i < order.length; i += 1) {
    const from = order[i] * 4
    if (take !== undefined && take[order[i]] === 0) continue
    for (let k = 0; k < 4; k += 1) sorted[count * 4 + k] = words[from + k]
    count += 1
  }
  return { words: sorted.subarray(0, count * 4), count }
}

function compare(a: Int32Array, i: number, b: Int32Array, j: number): number {
  for (let k = 0; k < 4; k += 1) if (a[i + k] !== b[j + k]) return a[i + k] < b[j + k] ? -1 : 1
  return 0
}

interface Cursor {
  next(): Promise<boolean>
  block: Int32Array
  at: number
}

/** Merges sorted runs into one new run, block by block: memory does not grow with the runs. */
export async function mergeRuns(store: ObjectStore, runs: KeyRun[], name: string): Promise<KeyRun> {
  const cursors = await Promise.all(runs.map((run) => openCursor(store.localPath(run.name))))
  const temporary = `${store.localPath(name)}.merging`
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
      if (least === undefined || compare(cursor.block, cursor.at, least.block, least.at) < 0) least = cursor
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
  await rename(temporary, store.localPath(name))
  await store.sync([name])
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
