/** Messages as a source hands them over: positions in one slab, no object per message. */

import type { Slab } from './slab.ts'

/**
 * `valueLength` and `keyLength` are -1 for null. Headers are JSON text `[["name","value"],...]`, length 0
 * without any.
 */
export interface Messages {
  /** Holds keys, values and headers. Decoded values follow them. */
  slab: Slab
  count: number
  partition: Int32Array
  offset: Float64Array
  /** Milliseconds since 1970, as the message states. */
  time: Float64Array
  keyStart: Int32Array
  keyLength: Int32Array
  valueStart: Int32Array
  valueLength: Int32Array
  headersStart: Int32Array
  headersLength: Int32Array
  /** Messages that the source could not read, by index. Their value is the unreadable bytes. */
  unread: Map<number, { rule: string; reason: string }>
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
    unread: new Map(),
  }
}

/** Grows the arrays to `needed` messages in total, and keeps their content. */
export function ensureMessages(messages: Messages, needed: number): void {
  if (messages.partition.length >= needed) return
  const size = Math.max(needed, messages.partition.length * 2)
  for (const key of [
    'partition',
    'keyStart',
    'keyLength',
    'valueStart',
    'valueLength',
    'headersStart',
    'headersLength',
  ] as const) {
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
  messages.unread.clear()
}

/** The place of a message, as keys of maps and failpoints write it. */
export function placeOf(messages: Messages, index: number): string {
  return `${messages.partition[index]}:${messages.offset[index]}`
}

/** The messages [from, until) of a block, over the same bytes. */
export function messagesBetween(m: Messages, from: number, until: number): Messages {
  const { slab } = m
  const cut = (all: Int32Array): Int32Array => all.subarray(from, until)
  return {
    slab,
    count: until - from,
    partition: cut(m.partition),
    offset: m.offset.subarray(from, until),
    time: m.time.subarray(from, until),
    keyStart: cut(m.keyStart),
    keyLength: cut(m.keyLength),
    valueStart: cut(m.valueStart),
    valueLength: cut(m.valueLength),
    headersStart: cut(m.headersStart),
    headersLength: cut(m.headersLength),
    unread: new Map(
      [...m.unread].filter(([i]) => i >= from && i < until).map(([i, fault]) => [i - from, fault]),
    ),
  }
}
