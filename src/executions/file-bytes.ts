/** Local files as bytes, one piece at a time, as often as needed. */
import { open } from 'node:fs/promises'
import { storageFailure } from '../core/errors.ts'
import { packingOf } from '../formats/signature.ts'
import type { DocumentBytes } from '../runner/document-windows.ts'

const PIECE_BYTES = 1024 * 1024

export async function openDocument(path: string): Promise<DocumentBytes> {
  await using file = await open(path).catch((error: unknown) => {
    throw storageFailure(error, 'read', path)
  })
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
  const isPacked = packingOf(buffer, 0, buffer.length) !== undefined
  return { size: (await file.stat()).size, isPacked, chunks: () => piecesOf(path) }
}

/** Each piece is valid until the next one is requested. */
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
