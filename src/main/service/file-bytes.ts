/** Files of this machine as bytes of UTF-8, a piece at a time, as often as they are asked for. */
import { open, stat } from 'node:fs/promises'
import { storageFailure } from '../../core/errors.ts'
import type { DocumentBytes } from '../../runner/document-windows.ts'

const PIECE_BYTES = 1024 * 1024

export async function openDocument(path: string): Promise<DocumentBytes> {
  const { size } = await stat(path)
  return { size, chunks: () => inUtf8(piecesOf(path)) }
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

async function* inUtf8(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let decoder: InstanceType<typeof TextDecoder> | undefined
  let first = true
  for await (const piece of pieces) {
    if (first && piece[0] === 0xff && piece[1] === 0xfe) decoder = new TextDecoder('utf-16le')
    if (first && piece[0] === 0xfe && piece[1] === 0xff) decoder = new TextDecoder('utf-16be')
    first = false
    yield decoder === undefined ? piece : Buffer.from(decoder.decode(piece, { stream: true }))
  }
}
