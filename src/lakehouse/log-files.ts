/** The files of a table's log by their names (Delta protocol, "File Types"), whoever wrote them. */
import type { ObjectStore, StoredObject } from '../core/object-store.ts'

const FOLDER = '_delta_log'

/**
 * The version of a log file in any form. NaN for the pointer to the newest checkpoint and for foreign
 * folders.
 */
export const versionOf = (name: string): number => Number(/^_delta_log\/(\d{20})\./.exec(name)?.[1] ?? NaN)

export const isEntry = (name: string): boolean => /^_delta_log\/\d{20}\.json$/.test(name)

/** Without the folder, for messages. */
export const nameInLog = (name: string): string => name.slice(FOLDER.length + 1)

/** All files that belong to a version, in order, optionally from one version on. */
export async function listLog(store: ObjectStore, from?: number): Promise<StoredObject[]> {
  const after = from === undefined ? undefined : `${FOLDER}/${String(from).padStart(20, '0')}`
  return (await store.list(FOLDER, after)).filter(({ name }) => !Number.isNaN(versionOf(name)))
}

/**
 * A checkpoint: one file, or all parts of one that another writer split (Delta protocol, "Multi-part
 * checkpoint").
 */
export interface Checkpoint {
  version: number
  /** Names of its files in the store. */
  names: string[]
}
