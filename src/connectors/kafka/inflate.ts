/**
 * Undoes the compression of a record batch, up to a size: a batch of a few kilobytes may say that it holds
 * gigabytes.
 */
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { lz4Decompress, snappyDecompress } from '@platformatic/wasm-utils'

export type Inflated = { bytes: Uint8Array } | { reason: string }

/**
 * The bytes behind the compression, or why there are none. Never throws, and never takes more than `most`
 * bytes for the result.
 */
export function inflate(body: Buffer, codec: number, most: number): Inflated {
  const tooLarge = { reason: `it inflates beyond ${most} bytes` }
  try {
    if (codec === 0) return { bytes: body }
    if (codec === 1) return { bytes: gunzipSync(body, { maxOutputLength: most }) }
    if (codec === 2) return unsnappy(body, most) ?? tooLarge
    if (codec === 3) return lz4Size(body, most) > most ? tooLarge : { bytes: lz4Decompress(body) }
    if (codec === 4) return { bytes: zstdDecompressSync(body, { maxOutputLength: most }) }
    return { reason: `its compression ${codec} is unknown` }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'ERR_BUFFER_TOO_LARGE'
      ? tooLarge
      : { reason: `its compression cannot be undone: ${message}` }
  }
}

const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])

/**
 * Java clients frame snappy in blocks of their own (xerial); others write it plain. Undefined: larger than
 * `most`.
 */
function unsnappy(body: Buffer, most: number): { bytes: Uint8Array } | undefined {
  if (!body.subarray(0, 8).equals(XERIAL))
    return snappySize(body) > most ? undefined : { bytes: snappyDecompress(body) }
  const parts: Uint8Array[] = []
  let size = 0
  for (let at = 16; at + 4 <= body.length;) {
    const length = body.readUInt32BE(at)
    const part = body.subarray(at + 4, at + 4 + length)
    size += snappySize(part)
    if (size > most) return undefined
    parts.push(snappyDecompress(part))
    at += 4 + length
  }
  return { bytes: Buffer.concat(parts) }
}

/** A snappy block begins with its size, seven bits a byte. */
function snappySize(block: Buffer): number {
  let size = 0
  for (let i = 0; i < Math.min(5, block.length); i += 1) {
    size += (block[i] & 0x7f) * 128 ** i
    if (block[i] < 0x80) break
  }
  return size
}

const LZ4_RATIO = 255
const LZ4_MAGIC = 0x184d2204

/**
 * What an LZ4 frame inflates to, by walking its sequences without copying; Infinity as soon as it is more
 * than `most`. One that is too small for that is not walked.
 */
function lz4Size(body: Buffer, most: number): number {
  if (body.length * LZ4_RATIO <= most) return 0
  if (body.readUInt32LE(0) !== LZ4_MAGIC) return 0
  const flags = body[4]
  let at = 7 + ((flags & 0x08) === 0 ? 0 : 8) + ((flags & 0x01) === 0 ? 0 : 4)
  let size = 0
  while (at + 4 <= body.length && size <= most) {
    const head = body.readUInt32LE(at)
    const length = head & 0x7fffffff
    at += 4
    if (head === 0) break
    size += head >>> 31 === 1 ? length : blockSize(body, at, Math.min(at + length, body.length), most)
    at += length + ((flags & 0x10) === 0 ? 0 : 4)
  }
  return size
}

function blockSize(b: Buffer, from: number, end: number, most: number): number {
  let size = 0
  for (let at = from; at < end && size <= most;) {
    const token = b[at++]
    let literals = token >>> 4
    if (literals === 15) for (let more = 255; more === 255 && at < end; literals += more) more = b[at++]
    at += literals + 2
    size += literals
    // The last sequence of a block has literals only.
    if (at >= end) break
    let match = token & 15
    if (match === 15) for (let more = 255; more === 255 && at < end; match += more) more = b[at++]
    size += match + 4
  }
  return size
}
