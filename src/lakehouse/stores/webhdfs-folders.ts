/**
 * Folders of HDFS, which are real: created before a file moves in, removed with their last file, walked for a
 * listing.
 */
import { failure } from '../../core/errors.ts'
import type { StoredObject } from '../../core/object-store.ts'
import { orMissing } from './webhdfs-call.ts'
import { json, type WebHdfs } from './webhdfs-root.ts'

export interface FileStatus {
  pathSuffix: string
  type: 'FILE' | 'DIRECTORY'
  length: number
  modificationTime: number
}

export const folderOf = (name: string): string => name.slice(0, name.lastIndexOf('/') + 1)

/**
 * Folders vanish when their last file is deleted, possibly between their creation and our move of a file into
 * it.
 */
const FOLDER_ATTEMPTS = 20

export async function moveWithin({ ask, spec, root }: WebHdfs, from: string, to: string): Promise<void> {
  for (let attempt = 1; attempt <= FOLDER_ATTEMPTS; attempt += 1) {
    await ask('PUT', folderOf(to), 'MKDIRS')
    if (
      json<{ boolean: boolean }>(await ask('PUT', from, 'RENAME', { destination: `${spec.path}/${to}` }))
        .boolean
    )
      return
  }
  throw failure('storage_failed', {
    action: 'move',
    path: `${root}/${from}`,
    reason: `the name node refused to rename it to ${to}`,
  })
}

/**
 * Removes folders as long as they are empty, but never the root or the log. The name node refuses others, in
 * one step.
 */
export async function removeEmpty({ ask }: WebHdfs, folder: string): Promise<void> {
  for (
    let at = folder.replace(/\/$/, '');
    at !== '' && !at.startsWith('_delta_log');
    at = folderOf(at).replace(/\/$/, '')
  ) {
    const gone = await ask('DELETE', at, 'DELETE').then(
      () => true,
      () => false,
    )
    if (!gone) return
  }
}

/** Files of a folder, and of those below it by default. */
export async function walk(hdfs: WebHdfs, folder: string, below = true): Promise<StoredObject[]> {
  const answer = await orMissing(() => hdfs.ask('GET', folder, 'LISTSTATUS'))
  if (answer === undefined) return []
  const { FileStatuses } = json<{ FileStatuses: { FileStatus: FileStatus[] } }>(answer)
  const found: StoredObject[] = []
  for (const status of FileStatuses.FileStatus) {
    const name = [folder, status.pathSuffix].filter((part) => part !== '').join('/')
    if (status.type === 'DIRECTORY') found.push(...(below ? await walk(hdfs, name) : []))
    else found.push({ name, size: status.length, modifiedMs: status.modificationTime })
  }
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}
