/** Files of this machine as bytes, a piece at a time, as often as they are asked for. */
import { open } from 'node:fs/promises'
import { storageFailure } from '../../core/errors.ts'
import type { DocumentBytes } from '../../runner/document-windows.ts'

const PIECE_BYTES = 1024 * 1024

export async function openDocument(path: string): Promise<DocumentBytes> {
  await using file = await open(path).catch((error: unknown) => {
    throw storageFailure(error, 'read', path)
  })
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
  return {
    size: (await file.stat()).size,
    isPacked: isPacked(buffer),
    chunks: () => piecesOf(path),
  }
}

/** First bytes of gzip and zstd; a frame that zstd skips may begin with any of sixteen. */
function isPacked(head: Buffer): boolean {
  const first = head.readUInt32LE()
  return (first & 0xffff) === 0x8b1f || first === 0xfd2fb528 || (first & 0xfffffff0) >>> 0 === 0x184d2a50
}

/** Each piece is valid until the next one is asked for. */
async function* piecesOf(path: string): AsyncGenerator<Buffer> {
  const file = await open(path).catch((error: unknown) => {
    throw storageFailure(error, 'read', path)
  })
  try {
    const buffer = Buffer.allocUnsafe(PIECE_BYTES)
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}
