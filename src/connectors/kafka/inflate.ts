/** Decompresses a record batch up to a limit: a batch of a few kilobytes may claim to hold gigabytes. */
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { unlz4 } from './lz4.ts'
import { unsnappy } from './snappy.ts'

export type Inflated = { bytes: Uint8Array } | { reason: string }

/**
 * The decompressed bytes, or the reason why there are none. Never throws, and never uses more than `most`
 * bytes for the result.
 */
export function inflate(body: Buffer, codec: number, most: number): Inflated {
  const tooLarge = { reason: `it decompresses to more than ${most} bytes` }
  try {
    if (codec === 0) return { bytes: body }
    if (codec === 1) return { bytes: gunzipSync(body, { maxOutputLength: most }) }
    if (codec === 2 || codec === 3) {
      const bytes = codec === 2 ? unsnappy(body, most) : unlz4(body, most)
      return bytes === undefined ? tooLarge : { bytes }
    }
    if (codec === 4) return { bytes: zstdDecompressSync(body, { maxOutputLength: most }) }
    return { reason: `its compression codec ${codec} is unknown` }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge : { reason: `decompression failed: ${message}` }
  }
}
