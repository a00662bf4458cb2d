/**
 * Snappy in plain JavaScript, plain and framed as Java's clients frame it (xerial). Why not the library's
 * WebAssembly: see lz4.ts.
 */
import { repeat } from './lz4.ts'

const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
/** Magic, version, and the lowest version that can read it. */
const XERIAL_HEADER = 16
/** The shortest element with the largest output: three bytes for 64. */
const LARGEST_RATIO = 22

interface Block {
  start: number
  end: number
  size: number
}

/** Undefined: decompresses to more than `most` bytes. Throws RangeError for invalid data. */
export function unsnappy(body: Buffer, most: number): Buffer | undefined {
  const blocks = body.subarray(0, 8).equals(XERIAL) ? xerialBlocks(body) : [blockOf(body, 0, body.length)]
  const size = blocks.reduce((sum, block) => sum + block.size, 0)
  if (size > most) return undefined
  const bytes = Buffer.allocUnsafe(size)
  let at = 0
  for (const block of blocks) at = readBlock(body, block, bytes, at)
  return bytes
}

/** Joined streams each have their own header. */
function xerialBlocks(body: Buffer): Block[] {
  const blocks: Block[] = []
  for (let at = 0; at < body.length;) {
    while (body.subarray(at, at + 8).equals(XERIAL)) at += XERIAL_HEADER
    if (at >= body.length) break
    const length = body.readUInt32BE(at)
    const start = at + 4
    at = start + length
    if (at > body.length) throw new RangeError('a snappy block reaches beyond the end')
    blocks.push(blockOf(body, start, at))
  }
  return blocks
}

/** A block begins with its size, seven bits a byte. */
function blockOf(body: Buffer, from: number, end: number): Block {
  let size = 0
  for (let i = 0; i < 5 && from + i < end; i += 1) {
    const byte = body[from + i]
    size += (byte & 0x7f) * 128 ** i
    if (byte >= 0x80) continue
    const start = from + i + 1
    if (size > (end - start) * LARGEST_RATIO)
      throw new RangeError(`a snappy block of ${end - from} bytes says ${size}`)
    return { start, end, size }
  }
  throw new RangeError('a snappy block does not say its size')
}

/** Returns the end in the output, which is its size further on. */
function readBlock(b: Buffer, { start, end, size }: Block, bytes: Buffer, from: number): number {
  const limit = from + size
  let to = from
  for (let at = start; at < end;) {
    const tag = b[at++]
    const kind = tag & 3
    let length = (tag >>> 2) + 1
    if (kind === 0) {
      const more = Math.max(0, length - 60)
      if (more > 0) length = littleEndian(b, at, more, end) + 1
      at += more
      if (length > end - at || length > limit - to) throw new RangeError('a snappy literal is too long')
      b.copy(bytes, to, at, at + length)
      at += length
      to += length
      continue
    }
    if (kind === 1) length = 4 + ((tag >>> 2) & 7)
    const width = kind === 3 ? 4 : kind
    const distance = littleEndian(b, at, width, end) + (kind === 1 ? (tag >>> 5) * 256 : 0)
    at += width
    if (distance === 0 || distance > to - from || length > limit - to)
      throw new RangeError('a snappy copy reaches too far')
    to = repeat(bytes, to, distance, length)
  }
  if (to !== limit) throw new RangeError(`a snappy block holds ${to - from} bytes and says ${size}`)
  return to
}

/** A number of this many bytes, the lowest first. */
function littleEndian(b: Buffer, at: number, width: number, end: number): number {
  if (width > end - at) throw new RangeError('a snappy block is cut short')
  return b.readUIntLE(at, width)
}
