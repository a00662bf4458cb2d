/** Publishes what a transfer made: a file appears whole under the execution's name, or not at all, and is durable when it does. */
import { createWriteStream } from 'node:fs'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { failure, storageFailure } from '../../core/errors.ts'
import { openTenantStore, type StoreConfig } from './tenant-store.ts'
import { tenantPath } from './tenant-paths.ts'
import type { Work } from './work.ts'

export interface Output {
  paths: string[]
  bytes: number
}

/** A second attempt of the same execution replaces it by the same. */
export async function publish(work: Work, staged: string, rejects: string | undefined): Promise<Output> {
  const files = [{ from: staged, name: `${work.executionId}.parquet` }, ...(rejects === undefined ? [] : [{ from: rejects, name: `_rejects/${work.executionId}.parquet` }])]
  const bytes = (await Promise.all(files.map(({ from }) => stat(from)))).reduce((sum, file) => sum + file.size, 0)
  const type = work.draft ? 'local' : String(work.destination.type)
  if (type === 's3' || type === 'hdfs') return { paths: await upload(work, files), bytes }
  if (type !== 'local') throw failure('not_supported', { feature: `${type} as destination of a transfer`, instead: 'Use local, s3 or hdfs; zones take a dataset declaration.' })
  const folder = work.draft ? work.scratchFolder : await tenantPath(String(work.destination.path), { tenantFolder: work.tenantFolder, allowed: work.allowedPaths })
  for (const { from, name } of files) await moveDurably(from, join(folder, name))
  return { paths: files.map(({ name }) => join(folder, name)), bytes }
}

/** Rejects first: who sees the file finds what is missing from it. */
async function upload(work: Work, files: { from: string; name: string }[]): Promise<string[]> {
  const store = await openTenantStore(work.destination as unknown as StoreConfig, work.destinationSecret, join(work.workFolder, 'upload'))
  for (const { from, name } of files) {
    await mkdir(dirname(store.localPath(name)), { recursive: true })
    await rename(from, store.localPath(name))
  }
  await store.sync(files.map(({ name }) => name).toReversed())
  return files.map(({ name }) => `${store.root}/${name}`)
}

async function moveDurably(from: string, to: string): Promise<void> {
  try {
    await mkdir(dirname(to), { recursive: true })
    const near = join(dirname(to), `.${to.slice(to.lastIndexOf('/') + 1)}.part`)
    await rename(from, near).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EXDEV') throw error
      await pipeline((await open(from)).createReadStream(), createWriteStream(near))
      await rm(from)
    })
    {
      await using file = await open(near, 'r+')
      await file.sync()
    }
    await rename(near, to)
    await using folder = await open(dirname(to))
    await folder.sync()
  } catch (error) {
    throw storageFailure(error, 'write', to)
  }
}
