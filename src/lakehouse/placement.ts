/**
 * From an engine's private folder to the table: moves files to their paths and makes them durable. Nothing
 * refers to them yet.
 */
import { randomUUID } from 'node:crypto'
import { dataPath, partitionText, privateFolder } from '../core/data-path.ts'
import type { ObjectStore } from '../core/object-store.ts'
import { encodePath, type DataFile } from '../core/table-schema.ts'
import type { MetadataAction } from './actions.ts'
import { columnsOf } from './snapshot.ts'
import type { Table } from './table.ts'

/** On S3, a move is a copy by the server. */
const MOVED_AT_ONCE = 16

/** Creates a folder that only the caller knows, for an engine to write into. */
export async function makePrivateFolder(store: ObjectStore): Promise<string> {
  const folder = privateFolder(randomUUID())
  await store.local.makeFolder(folder)
  return folder
}

/**
 * Moves the files of a private folder, whose paths are relative to it, syncs them and returns their names for
 * the log. Removes the folder.
 */
export async function placeFiles(
  { store, snapshot }: Pick<Table, 'store' | 'snapshot'>,
  folder: string,
  made: DataFile[],
): Promise<DataFile[]> {
  const { metadata } = snapshot
  const id = folder.slice(folder.lastIndexOf('/') + 1)
  const files = made.map((file) => ({
    ...file,
    partitionValues: loggedValues(metadata, file.partitionValues),
  }))
  // The numbers run over the folder, not within a table partition: null and an empty text share one.
  const names = files.map((file, i) =>
    dataPath(metadata.partitionColumns, file.partitionValues, `${id}-${i}.parquet`),
  )
  for (let at = 0; at < files.length; at += MOVED_AT_ONCE)
    await Promise.all(
      files
        .slice(at, at + MOVED_AT_ONCE)
        .map((file, i) => store.local.move(`${folder}/${file.path}`, names[at + i])),
    )
  await store.local.sync(names)
  await store.local.dropFolder(folder)
  return files.map((file, i) => ({ ...file, path: encodePath(names[i]), placed: true as const }))
}

/** Partition values in the one notation that every reader accepts. */
export function loggedValues(
  metadata: MetadataAction,
  values: DataFile['partitionValues'],
): DataFile['partitionValues'] {
  const types = new Map(columnsOf(metadata).map((column) => [column.name, column.type]))
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, partitionText(types.get(name), value)]),
  )
}
