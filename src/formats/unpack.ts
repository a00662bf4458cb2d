/**
 * gzip and zstd, for whole messages and files of any size: several members or frames in a row, nothing else
 * after them, and never more than the caller allows. So a decompression bomb is a fault and does not end the
 * process.
 */
import {
  createGunzip,
  createZstdDecompress,
  gunzipSync,
  zstdDecompressSync,
  type Gunzip,
  type ZstdDecompress,
} from 'node:zlib'
import { LIMITS } from '../core/limits.ts'
import { packingOf, type Packing } from './signature.ts'

export interface UnpackFault {
  rule: 'malformed' | 'too_large'
  reason: string
}

/** The content of a whole message. A fault if it has more than `most` bytes. */
export function unpackWhole(packed: Buffer, packing: Packing, most: number): Buffer | UnpackFault {
  try {
    const options = { maxOutputLength: most, info: true }
    // The types of the library lack `info`, which tells how much of the input was used.
    const unpacked = (packing === 'gzip'
      ? gunzipSync(packed, options)
      : zstdDecompressSync(packed, options)) as unknown as {
      buffer: Buffer
      engine: { bytesWritten: number }
    }
    const used = unpacked.engine.bytesWritten
    return packed.subarray(used).some((byte) => byte !== 0) ? trailing(packing, used) : unpacked.buffer
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') return damaged(packing, error)
    return { rule: 'too_large', reason: `the ${packing} data decompresses to more than ${most} bytes` }
  }
}

/** No compressed byte of gzip expands to more. */
const MOST_OF_GZIP = 1_032

/** Whether the content of a whole file has more than `most` bytes. False for damaged data. */
export function unpacksToMore(packed: Buffer, most: number): boolean {
  const packing = packingOf(packed, 0, packed.length)
  if (packing === undefined || (packing === 'gzip' && packed.length * MOST_OF_GZIP <= most)) return false
  const content = unpackWhole(packed, packing, most)
  return !Buffer.isBuffer(content) && content.rule === 'too_large'
}

export interface Unpacking {
  chunks: AsyncIterable<Buffer>
  /** Known when `chunks` has ended. */
  readonly fault: UnpackFault | undefined
}

/** The content of a file as a stream: memory stays at a few chunks, whatever its size. */
export function unpackChunks(packed: AsyncIterable<Buffer>, packing: Packing): Unpacking {
  let fault: UnpackFault | undefined
  const fed: Fed = { bytes: 0, lastByte: 0, failure: undefined }
  async function* unpacked(): AsyncGenerator<Buffer> {
    const engine =
      packing === 'gzip'
        ? createGunzip({ chunkSize: CHUNK_BYTES })
        : createZstdDecompress({ chunkSize: CHUNK_BYTES })
    const feeding = feed(engine, packed, fed)
    let total = 0
    try {
      for await (const chunk of engine as AsyncIterable<Buffer>) {
        total += chunk.length
        if (total > Math.max(LIMITS.recordBytes, engine.bytesWritten * LIMITS.unpackRatio)) {
          fault = {
            rule: 'too_large',
            reason: `the ${packing} data decompresses to more than ${LIMITS.unpackRatio} times its size`,
          }
          return
        }
        yield chunk
      }
      if (engine.bytesWritten < fed.lastByte) fault = trailing(packing, engine.bytesWritten)
    } catch (error) {
      if (fed.failure !== undefined) throw fed.failure
      fault = damaged(packing, error)
    } finally {
      engine.destroy()
      await feeding
    }
  }
  return {
    chunks: unpacked(),
    get fault() {
      return fault
    },
  }
}

const CHUNK_BYTES = 65_536

interface Fed {
  bytes: number
  /** The position of the last byte that is not zero: only padding may follow. */
  lastByte: number
  failure: unknown
}

/** Writes chunk by chunk, and waits while the engine has enough. Never rejects: failures are in `fed`. */
async function feed(engine: Gunzip | ZstdDecompress, packed: AsyncIterable<Buffer>, fed: Fed): Promise<void> {
  const closed = new Promise<void>((done) => engine.once('close', done))
  try {
    for await (const chunk of packed) {
      let last = chunk.length
      while (last > 0 && chunk[last - 1] === 0) last -= 1
      if (last > 0) fed.lastByte = fed.bytes + last
      fed.bytes += chunk.length
      if (engine.destroyed) return
      if (!engine.write(chunk))
        await Promise.race([closed, new Promise<void>((done) => engine.once('drain', done))])
      if (engine.destroyed) return
    }
    engine.end()
  } catch (error) {
    fed.failure = error
    engine.destroy(error as Error)
  }
}

function trailing(packing: Packing, used: number): UnpackFault {
  return { rule: 'malformed', reason: `the ${packing} data ends at byte ${used}, but more bytes follow` }
}

function damaged(packing: Packing, error: unknown): UnpackFault {
  const { code, message } = error as NodeJS.ErrnoException
  return {
    rule: 'malformed',
    reason:
      code === 'Z_BUF_ERROR'
        ? `the ${packing} data is truncated`
        : `the ${packing} data is damaged: ${message}`,
  }
}
