/**
 * How many rows data files have. Some writers leave `numRecords` out of the log; then the file's own footer
 * says it.
 */
import { parquetMetadataAsync } from 'hyparquet'
import { failure } from '../core/errors.ts'
import type { ObjectStore } from '../core/object-store.ts'
import { decodePath, type AddAction } from './actions.ts'
import { rowsOf } from './snapshot.ts'

/**
 * Rows of each file, in order. Whoever takes 0 for a count that is not stated gives two files the same
 * positions, or replaces a file by nothing. Throws `table_corrupt` when a file is missing or is not Parquet.
 */
export async function countRows(
  store: ObjectStore,
  files: Pick<AddAction, 'path' | 'size' | 'stats'>[],
): Promise<number[]> {
  const counts: number[] = []
  for (const file of files) counts.push(rowsOf(file) ?? (await footerRows(store, file)))
  return counts
}

async function footerRows(
  store: ObjectStore,
  { path, size }: Pick<AddAction, 'path' | 'size'>,
): Promise<number> {
  const name = decodePath(path)
  const slice = async (start: number, end = size): Promise<ArrayBuffer> => {
    const bytes = await store.readRange(name, start, end)
    if (bytes === undefined)
      throw failure('table_corrupt', {
        path: store.root,
        version: 'newest',
        reason: `${name} is missing`,
      })
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
  }
  try {
    return Number((await parquetMetadataAsync({ byteLength: size, slice })).num_rows)
  } catch (error) {
    const reason = `${name}: ${(error as Error).message}`
    throw failure('table_corrupt', { path: store.root, version: 'newest', reason }, error)
  }
}
