/**
 * LZ4 frames (LZ4 frame format 1.6.4) in plain JavaScript. The library's WebAssembly reads only one frame,
 * accepts no limit, and does not survive its own errors: each damaged frame lowers its stack, and after some
 * thousand of them it refuses every frame, valid ones too (measured). This code takes 1 ms per megabyte, the
 * library 0.7 (snappy: 1.2 and 0.3).
 */

const MAGIC = 0x184d2204
const SKIPPED = 0x184d2a50
const LARGEST_BLOCK = 4 * 1024 * 1024

/** The output so far, in a buffer that grows up to `most` bytes. */
interface Output {
  bytes: Buffer
  size: number
  most: number
}

/**
 * All consecutive frames of a body. Undefined: they decompress to more than `most` bytes. Throws RangeError
 * for an invalid frame. Checksums of frames are not checked: the batch has one over everything.
 */
export function unlz4(body: Buffer, most: number): Buffer | undefined {
  const out: Output = { bytes: Buffer.allocUnsafe(Math.min(most, body.length * 4)), size: 0, most }
  for (let at = 0; at < body.length;) {
    const magic = body.readUInt32LE(at)
    if ((magic & 0xfffffff0) >>> 0 === SKIPPED) {
      at += 8 + body.readUInt32LE(at + 4)
      if (at > body.length) throw new RangeError('an LZ4 frame reaches beyond the end')
    } else if (magic === MAGIC) {
      const next = readFrame(body, at + 4, out)
      if (next === undefined) return undefined
      at = next
    } else throw new RangeError(`there is no LZ4 frame at byte ${at}`)
  }
  return out.bytes.subarray(0, out.size)
}

/** Returns the end of the frame. */
function readFrame(body: Buffer, from: number, out: Output): number | undefined {
  const flags = body.readUInt8(from)
  if (flags >>> 6 !== 1 || (flags & 0x01) !== 0) throw new RangeError('the LZ4 frame is of an unknown kind')
  const isLinked = (flags & 0x20) === 0
  const frameStart = out.size
  let at = from + 3 + ((flags & 0x08) === 0 ? 0 : 8)
  for (;;) {
    const head = body.readUInt32LE(at)
    const length = head & 0x7fffffff
    at += 4
    if (head === 0) break
    if (length > LARGEST_BLOCK || at + length > body.length)
      throw new RangeError('an LZ4 block reaches beyond the end')
    const window = isLinked ? frameStart : out.size
    const fits =
      head >>> 31 === 1 ? copy(body, at, length, out) : readBlock(body.subarray(at, at + length), window, out)
    if (!fits) return undefined
    at += length + ((flags & 0x10) === 0 ? 0 : 4)
  }
  at += (flags & 0x04) === 0 ? 0 : 4
  if (at > body.length) throw new RangeError('the LZ4 frame is cut short')
  return at
}

/** Makes room for `count` more bytes. False if that exceeds the limit. */
function reserve(out: Output, count: number): boolean {
  const needed = out.size + count
  if (needed <= out.bytes.length) return true
  if (needed > out.most) return false
  const grown = Buffer.allocUnsafe(Math.min(out.most, Math.max(needed, out.bytes.length * 2)))
  out.bytes.copy(grown, 0, 0, out.size)
  out.bytes = grown
  return true
}

function copy(b: Buffer, at: number, length: number, out: Output): boolean {
  if (!reserve(out, length)) return false
  b.copy(out.bytes, out.size, at, at + length)
  out.size += length
  return true
}

/** A match may reach back to `window` in the output. False if the output exceeds the limit. */
function readBlock(b: Buffer, window: number, out: Output): boolean {
  const end = b.length
  for (let at = 0; ;) {
    if (at >= end) throw new RangeError('an LZ4 block is cut short')
    const token = b[at++]
    let literals = token >>> 4
    if (literals === 15) for (let more = 255; more === 255; literals += more) more = at < end ? b[at++] : 0
    if (literals > end - at) throw new RangeError('an LZ4 block is cut short')
    let match = (token & 15) + 4
    if (!reserve(out, literals)) return false
    copyShort(b, at, literals, out)
    at += literals
    // The last sequence of a block has only literals.
    if (at === end) return true
    const distance = b[at] | ((b[at + 1] ?? 0) << 8)
    at += 2
    if (match === 19) for (let more = 255; more === 255; match += more) more = at < end ? b[at++] : 0
    if (distance === 0 || distance > out.size - window)
      throw new RangeError('an LZ4 match reaches too far back')
    if (!reserve(out, match)) return false
    out.size = repeat(out.bytes, out.size, distance, match)
  }
}

/** A call costs more than copying this few bytes one by one. */
const SHORT = 16

function copyShort(b: Buffer, at: number, length: number, out: Output): void {
  const { bytes, size } = out
  if (length > SHORT) bytes.set(b.subarray(at, at + length), size)
  else for (let i = 0; i < length; i += 1) bytes[size + i] = b[at + i]
  out.size = size + length
}

/**
 * Repeats the bytes that lie `distance` before `at`; the distance may be shorter than the copy. Returns the
 * end.
 */
export function repeat(bytes: Buffer, at: number, distance: number, length: number): number {
  if (distance >= length && length > SHORT) bytes.copyWithin(at, at - distance, at - distance + length)
  else if (distance === 1) bytes.fill(bytes[at - 1], at, at + length)
  else for (let i = at; i < at + length; i += 1) bytes[i] = bytes[i - distance]
  return at + length
}
