/**
 * A slab: the bytes of many messages in one buffer, with room behind them for decoded values. Every value of
 * a record is a span (start, length) of its slab. So the hot path creates no string and no object per value,
 * and one copy of the slab passes all values to the engine.
 */

export interface Slab {
  bytes: Buffer
  /** The same bytes, for comparing four at a time. */
  view: DataView
  /** Where the next decoded value goes. Input lies before it. */
  end: number
}

/** The view reaches beyond the bytes, so comparing a tag near the end needs no bounds check. */
const PADDING = 4096

export function createSlab(capacity: number): Slab {
  const memory = new ArrayBuffer(capacity + PADDING)
  return { bytes: Buffer.from(memory, 0, capacity), view: new DataView(memory), end: 0 }
}

/** Makes room for `count` more bytes after `end`. Positions stay valid; the buffer may be a new one. */
export function reserve(slab: Slab, count: number): void {
  const needed = slab.end + count + 1
  if (needed <= slab.bytes.length) return
  const grown = createSlab(Math.max(needed, slab.bytes.length * 2))
  slab.bytes.copy(grown.bytes, 0, 0, slab.end)
  slab.bytes = grown.bytes
  slab.view = grown.view
}

/** Appends bytes and returns where they start. */
export function appendBytes(slab: Slab, bytes: Uint8Array): number {
  reserve(slab, bytes.length)
  slab.bytes.set(bytes, slab.end)
  const start = slab.end
  slab.end += bytes.length
  return start
}

/** Appends text as UTF-8 and returns where it starts; its length is `slab.end - start`. */
export function appendText(slab: Slab, text: string): number {
  reserve(slab, text.length * 3)
  const start = slab.end
  slab.end += slab.bytes.write(text, start, 'utf8')
  return start
}
