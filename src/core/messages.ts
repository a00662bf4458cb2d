/** Messages as a source hands them over: positions in one slab, no object per message. */

import type { Slab } from './slab.ts'

/** `valueLength` and `keyLength` are -1 for null. Headers are JSON text `[["name","value"],...]`, length 0 without any. */
export interface Messages {
  /** Holds keys, values and headers; decoded values are written behind them. */
  slab: Slab
  count: number
  partition: Int32Array
  offset: Float64Array
  /** Milliseconds since 1970, as the message says. */
  time: Float64Array
  keyStart: Int32Array
  keyLength: Int32Array
  valueStart: Int32Array
  valueLength: Int32Array
  headersStart: Int32Array
  headersLength: Int32Array
}

export function createMessages(slab: Slab, capacity: number): Messages {
  return {
    slab,
    count: 0,
    partition: new Int32Array(capacity),
    offset: new Float64Array(capacity),
    time: new Float64Array(capacity),
    keyStart: new Int32Array(capacity),
    keyLength: new Int32Array(capacity),
    valueStart: new Int32Array(capacity),
    valueLength: new Int32Array(capacity),
    headersStart: new Int32Array(capacity),
    headersLength: new Int32Array(capacity),
  }
}

/** Makes room for `needed` messages in all; what is there stays. */
export function ensureMessages(messages: Messages, needed: number): void {
  if (messages.partition.length >= needed) return
  const size = Math.max(needed, messages.partition.length * 2)
  for (const key of ['partition', 'keyStart', 'keyLength', 'valueStart', 'valueLength', 'headersStart', 'headersLength'] as const) {
    const grown = new Int32Array(size)
    grown.set(messages[key])
    messages[key] = grown
  }
  for (const key of ['offset', 'time'] as const) {
    const grown = new Float64Array(size)
    grown.set(messages[key])
    messages[key] = grown
  }
}

/** Empties messages and slab for the next read. */
export function clearMessages(messages: Messages): void {
  messages.count = 0
  messages.slab.end = 0
}

/** The messages [from, to) of others, in the same slab. */
export function messagesFrom(messages: Messages, from: number, to: number): Messages {
  const { slab, partition, offset, time, keyStart, keyLength, valueStart, valueLength, headersStart, headersLength } = messages
  return {
    slab,
    count: to - from,
    partition: partition.subarray(from),
    offset: offset.subarray(from),
    time: time.subarray(from),
    keyStart: keyStart.subarray(from),
    keyLength: keyLength.subarray(from),
    valueStart: valueStart.subarray(from),
    valueLength: valueLength.subarray(from),
    headersStart: headersStart.subarray(from),
    headersLength: headersLength.subarray(from),
  }
}
