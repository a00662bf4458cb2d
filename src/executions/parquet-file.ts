/**
 * Parquet files as bytes: joins several of one schema by copying their row groups, and adds our text to a
 * footer. It decodes nothing.
 */
import { open, type FileHandle } from 'node:fs/promises'
import { failure } from '../core/errors.ts'
import { createFooterJoin, MAGIC, noteOf, TAIL_BYTES, withNote } from '../formats/parquet/footer.ts'

/** Throws `internal` if a part is no Parquet file, or has another schema than the first. */
export async function joinFiles(parts: string[], output: string): Promise<void> {
  await using to = await open(output, 'w')
  await to.appendFile(MAGIC)
  let end = MAGIC.length
  const join = createFooterJoin()
  for (const path of parts) {
    await using from = await open(path)
    const { footer, at } = await lastOf(from, path)
    if (!join.add(footer, end - MAGIC.length))
      throw failure('internal', { reason: `${path} has another schema than ${parts[0]}` })
    if (at === MAGIC.length) continue
    for await (const chunk of from.createReadStream({
      start: MAGIC.length,
      end: at - 1,
      autoClose: false,
      highWaterMark: 1 << 20,
    })) {
      await to.appendFile(chunk as Buffer)
      end += (chunk as Buffer).length
    }
  }
  await to.appendFile(tailOf(join.finish()))
}

/** Puts a text under our key into a file's footer. */
export async function noteInto(path: string, text: string): Promise<void> {
  await using file = await open(path, 'r+')
  const { footer, at } = await lastOf(file, path)
  await file.truncate(at)
  const tail = tailOf(withNote(footer, text))
  await file.write(tail, 0, tail.length, at)
}

/** The text under our key, read through `range` ([start, end) of the file). */
export async function noteFrom(
  size: number,
  range: (start: number, end: number) => Promise<Buffer | undefined>,
): Promise<string | undefined> {
  const tail = await range(Math.max(0, size - TAIL_BYTES), size)
  if (tail?.length !== TAIL_BYTES || tail.toString('latin1', 4) !== MAGIC) return undefined
  const footer = await range(size - TAIL_BYTES - tail.readUInt32LE(), size - TAIL_BYTES)
  return footer === undefined ? undefined : noteOf(footer)
}

function tailOf(footer: Uint8Array): Buffer {
  const tail = Buffer.alloc(TAIL_BYTES)
  tail.writeUInt32LE(footer.length)
  tail.write(MAGIC, 4)
  return Buffer.concat([footer, tail])
}

async function lastOf(file: FileHandle, path: string): Promise<{ footer: Buffer; at: number }> {
  const { size } = await file.stat()
  const tail = Buffer.alloc(TAIL_BYTES)
  await file.read(tail, 0, TAIL_BYTES, size - TAIL_BYTES)
  const length = tail.readUInt32LE()
  if (tail.toString('latin1', 4) !== MAGIC || length > size - TAIL_BYTES - MAGIC.length)
    throw failure('internal', { reason: `${path} is no Parquet file` })
  const footer = Buffer.alloc(length)
  await file.read(footer, 0, length, size - TAIL_BYTES - length)
  return { footer, at: size - TAIL_BYTES - length }
}
