/**
 * The newest N message identities of one Kafka partition. A message that the producer sends again within them
 * is dropped. A ring of entries in order of arrival, and an open-addressing table over it: 20 bytes per
 * message and no objects. One million messages take 24 MB, where a JavaScript Set of strings takes 120. An
 * entry is 64 bits of the identity's hash and 32 of the content's. A message is a duplicate only if both
 * agree, so two different messages whose identities collide are never dropped (they are quarantined as
 * `id_conflict`, with their bytes).
 */

export type Sighting = 'new' | 'duplicate' | 'conflict'

export interface DedupWindow {
  readonly capacity: number
  readonly size: number
  readonly bytes: number
  /** Looks up an identity. If it is new, remembers it; a full window forgets its oldest entry. */
  see(high: number, low: number, content: number): Sighting
}

const FIRST_ENTRIES = 1024

export function createDedupWindow(capacity: number): DedupWindow {
  return new RingWindow(capacity)
}

class RingWindow implements DedupWindow {
  readonly capacity: number
  size = 0
  /** Capacity of the ring. An entry is three numbers. */
  #entries: number
  #ring: Int32Array
  /** Entries by their hash; -1: free. */
  #slots: Int32Array
  #mask: number
  /** The entry to write next. In a full ring, it is the oldest. */
  #next = 0

  constructor(capacity: number) {
    this.capacity = capacity
    this.#entries = Math.min(capacity, FIRST_ENTRIES)
    this.#ring = new Int32Array(this.#entries * 3)
    this.#slots = new Int32Array(tableSize(this.#entries)).fill(-1)
    this.#mask = this.#slots.length - 1
  }

  get bytes(): number {
    return this.#ring.byteLength + this.#slots.byteLength
  }

  see(high: number, low: number, content: number): Sighting {
    if (this.capacity === 0) return 'new'
    const found = this.#find(high, low)
    if (found >= 0) return this.#ring[this.#slots[found] * 3 + 2] === content ? 'duplicate' : 'conflict'
    if (this.size === this.#entries && this.#entries < this.capacity) this.#grow()
    const next = this.#next
    if (this.size === this.#entries) this.#forget(next)
    else this.size += 1
    const ring = this.#ring
    ring[next * 3] = high
    ring[next * 3 + 1] = low
    ring[next * 3 + 2] = content
    this.#slots[~this.#find(high, low)] = next
    this.#next = (next + 1) % Math.max(this.#entries, this.size)
    return 'new'
  }

  /** The slot of an identity or, negated, the free slot for it. */
  #find(high: number, low: number): number {
    const [ring, slots, mask] = [this.#ring, this.#slots, this.#mask]
    let slot = low & mask
    for (;;) {
      const entry = slots[slot]
      if (entry < 0) return ~slot
      if (ring[entry * 3] === high && ring[entry * 3 + 1] === low) return slot
      slot = (slot + 1) & mask
    }
  }

  /** Linear probing without tombstones: entries behind a freed slot move up if their home lies before it. */
  #forget(entry: number): void {
    const [ring, slots, mask] = [this.#ring, this.#slots, this.#mask]
    let hole = this.#find(ring[entry * 3], ring[entry * 3 + 1])
    if (hole < 0 || slots[hole] !== entry) return
    let slot = hole
    for (;;) {
      slot = (slot + 1) & mask
      const moved = slots[slot]
      if (moved < 0) break
      const home = ring[moved * 3 + 1] & mask
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue
      slots[hole] = moved
      hole = slot
    }
    slots[hole] = -1
  }

  #grow(): void {
    const ring = new Int32Array(Math.min(this.capacity, this.#entries * 4) * 3)
    ring.set(this.#ring)
    this.#ring = ring
    this.#entries = ring.length / 3
    this.#slots = new Int32Array(tableSize(this.#entries)).fill(-1)
    this.#mask = this.#slots.length - 1
    this.#next = this.size
    for (let entry = 0; entry < this.size; entry += 1)
      this.#slots[~this.#find(ring[entry * 3], ring[entry * 3 + 1])] = entry
  }
}

function tableSize(entries: number): number {
  let size = 16
  while (size < entries * 1.5) size *= 2
  return size
}

/** Most bytes of a window of `capacity` messages. */
export function windowBytes(capacity: number): number {
  return capacity * 12 + tableSize(capacity) * 4
}

/** The window of each of `partitions` Kafka partitions, if all together may take `budget` bytes. */
export function fitWindow(declared: number, partitions: number, budget: number): number {
  let capacity = declared
  while (capacity > 1024 && windowBytes(capacity) * partitions > budget) capacity = Math.floor(capacity * 0.9)
  return capacity
}

/** High word of the last `hashBytes`. Two results without an object: all callers are in one thread. */
export let hashHigh = 0
export let hashLow = 0

/**
 * 64-bit hash of bytes: two lanes of MurmurHash3's 32-bit mixing with different seeds and multipliers. It
 * does not resist adversaries, and need not: the window only needs spread, and a collision costs a
 * quarantined message, not a lost one.
 */
export function hashBytes(b: Uint8Array, start: number, length: number): void {
  let h1 = 0x9747b28c ^ length
  let h2 = 0x85ebca6b ^ length
  let at = start
  const end = start + length
  for (; at + 4 <= end; at += 4) {
    const word = b[at] | (b[at + 1] << 8) | (b[at + 2] << 16) | (b[at + 3] << 24)
    h1 = mix(h1, word, 0xcc9e2d51)
    h2 = mix(h2, word, 0x239b961b)
  }
  let tail = 0
  for (let shift = 0; at < end; at += 1, shift += 8) tail |= b[at] << shift
  h1 = mix(h1, tail, 0xcc9e2d51)
  h2 = mix(h2, tail, 0x239b961b)
  hashHigh = finish(h1)
  hashLow = finish(h2 ^ Math.imul(h1, 0x38b34ae5))
}

function mix(h: number, word: number, multiplier: number): number {
  let k = Math.imul(word, multiplier)
  k = (k << 15) | (k >>> 17)
  h ^= Math.imul(k, 0x1b873593)
  h = (h << 13) | (h >>> 19)
  return (Math.imul(h, 5) + 0xe6546b64) | 0
}

function finish(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
