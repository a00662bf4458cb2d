/**
 * Counts the rows of data files. Some writers leave `numRecords` out of the log; then the footer of the file
 * states it.
 */
import { parquetMetadataAsync } from 'hyparquet'
import { failure } from '../core/errors.ts'
import type { ObjectStore } from '../core/object-store.ts'
import { decodePath, type AddAction } from './actions.ts'
import { rowsOf } from './snapshot.ts'

/**
 * Rows of each file, in order. A caller that took a missing count for 0 would give two files the same
 * positions, or replace a file with nothing. Throws `table_corrupt` if a file is missing or is not Parquet.
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
