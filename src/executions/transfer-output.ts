/**
 * Publishes the result of a transfer: a file appears completely under the execution's name, or not at all,
 * and is durable when it does. The first attempt that publishes wins. Its file states where it ended, so a
 * later attempt, which may have read more, takes over its outcome: a consumer that took the file once has all
 * of it.
 */
import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { glob, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { failure, storageFailure } from '../core/errors.ts'
import type { ObjectStore } from '../core/object-store.ts'
import { noteFrom, noteInto } from './parquet-file.ts'
import { openTenantStore, type StoreConfig } from './tenant-store.ts'
import { rootsOf, tenantPath } from './tenant-paths.ts'
import type { Outcome, Work } from './work.ts'

/** The place for the outputs of an execution. Names are relative to it. */
export interface Place {
  at(name: string): string
  find(name: string): Promise<Note | undefined>
  /** Names of files in it that come after a name, the last first. */
  after(name: string): Promise<string[]>
  /** `once`: if the name is taken, it does nothing and returns false. */
  put(from: string, name: string, options: { once: boolean }): Promise<boolean>
}

/** The content of the note in an output's footer. */
interface Note extends Outcome {
  jobId: string
}

const outputName = (work: Work): string => `${work.executionId}.parquet`

/** The output that an earlier attempt of this execution has published. */
export function publishedBefore(place: Place, work: Work): Promise<Outcome | undefined> {
  return place.find(outputName(work))
}

const OUTPUT = /^[0-9a-f]{8}-[0-9a-f-]{27}\.parquet$/

/**
 * The newest output of this job that the service does not know: its database was restored to an earlier time,
 * or an execution was abandoned after it had published. Reading continues where that output ended; otherwise,
 * its rows would come twice. IDs of executions grow with time.
 */
export async function unknownOutput(place: Place, work: Work): Promise<Outcome | undefined> {
  for (const name of await place.after(`${work.knownUntil}.parquet`)) {
    const note = OUTPUT.test(name) && name !== outputName(work) ? await place.find(name) : undefined
    if (note?.jobId === work.jobId) return note
  }
  return undefined
}

/**
 * Publishes, and returns the outcome that counts. `rejects` are published first: whoever sees the file can
 * find its missing rows.
 */
export async function publish(
  place: Place,
  work: Work,
  { staged, rejects, outcome }: { staged: string; rejects: string | undefined; outcome: Outcome },
): Promise<Outcome> {
  const name = outputName(work)
  const output = [place.at(name), ...(rejects === undefined ? [] : [place.at(`_rejects/${name}`)])]
  const bytes = (
    await Promise.all([staged, ...(rejects === undefined ? [] : [rejects])].map((path) => stat(path)))
  ).reduce((sum, file) => sum + file.size, 0)
  const ours: Outcome = { ...outcome, receipt: { ...outcome.receipt, output, bytes_written: bytes } }
  await noteInto(staged, JSON.stringify({ ...ours, jobId: work.jobId } satisfies Note))
  if (rejects !== undefined) {
    // Rejects of an attempt that slept must not replace those of the published file.
    const before = work.draft ? undefined : await publishedBefore(place, work)
    if (before !== undefined) return before
    await place.put(rejects, `_rejects/${name}`, { once: false })
  }
  const won = await place.put(staged, name, { once: !work.draft })
  return won ? ours : ((await place.find(name)) ?? ours)
}

/** Opens the destination of an execution; for a draft, its scratch folder. */
export async function outputPlace(work: Work): Promise<Place> {
  const type = work.draft ? 'local' : String(work.destination.type)
  if (type === 's3' || type === 'hdfs')
    return storePlace(
      await openTenantStore(
        work.destination as unknown as StoreConfig,
        work.destinationSecret,
        join(work.workFolder, 'upload'),
      ),
    )
  if (type !== 'local')
    throw failure('not_supported', {
      feature: `${type} as the destination of a transfer`,
      instead: 'Use local, s3 or hdfs. The zones need a dataset declaration.',
    })
  return folderPlace(
    work.draft ? work.scratchFolder : await tenantPath(String(work.destination.path), rootsOf(work)),
  )
}

const parsed = (note: string | undefined): Note | undefined =>
  note === undefined ? undefined : (JSON.parse(note) as Note)

/** A bucket or HDFS: at the end of an upload, the store decides whether the name is still free. */
function storePlace(store: ObjectStore): Place {
  return {
    at: (name) => `${store.root}/${name}`,
    async find(name) {
      const size = (await store.stat(name))?.size
      return size === undefined
        ? undefined
        : parsed(await noteFrom(size, (start, end) => store.readRange(name, start, end)))
    },
    after: async (name) =>
      (await store.list('', name))
        .map((object) => object.name)
        .filter((other) => other > name)
        .toReversed(),
    async put(from, name, { once }) {
      if (once) return store.createFrom(from, name)
      await mkdir(dirname(store.local.path(name)), { recursive: true })
      await rename(from, store.local.path(name))
      await store.local.sync([name])
      return true
    },
  }
}

function folderPlace(folder: string): Place {
  return {
    at: (name) => join(folder, name),
    async find(name) {
      const path = join(folder, name)
      try {
        await using file = await open(path)
        return parsed(
          await noteFrom(
            (await file.stat()).size,
            async (start, end) => (await file.read(Buffer.alloc(end - start), 0, end - start, start)).buffer,
          ),
        )
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw storageFailure(error, 'read', path)
      }
    },
    after: async (name) =>
      (await readdir(folder).catch(() => []))
        .filter((other) => other > name)
        .toSorted()
        .toReversed(),
    put: (from, name, { once }) => moveDurably(from, join(folder, name), once),
  }
}

async function moveDurably(from: string, to: string, once: boolean): Promise<boolean> {
  try {
    await mkdir(dirname(to), { recursive: true })
    const near = join(dirname(to), `.${basename(to)}.${randomUUID()}.part`)
    await rename(from, near).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EXDEV') throw error
      await pipeline((await open(from)).createReadStream(), createWriteStream(near))
      await rm(from)
    })
    {
      await using file = await open(near, 'r+')
      await file.sync()
    }
    const won = once ? await nameOnce(near, to) : await rename(near, to).then(() => true)
    // Leftovers of attempts that were killed here.
    for await (const left of glob(`.${basename(to)}.*.part`, { cwd: dirname(to) }))
      await rm(join(dirname(to), left), { force: true })
    await using folder = await open(dirname(to))
    await folder.sync()
    return won
  } catch (error) {
    throw storageFailure(error, 'write', to)
  }
}

/**
 * Creates a second name, which, unlike a rename, never replaces a file. Without links in the file system, it
 * renames.
 */
async function nameOnce(near: string, to: string): Promise<boolean> {
  const won = await link(near, to).then(
    () => true,
    async (error: NodeJS.ErrnoException) => {
      // Taken, or removed by the attempt that took the name.
      if (error.code === 'EEXIST' || error.code === 'ENOENT') return false
      if (error.code !== 'EPERM' && error.code !== 'ENOTSUP') throw error
      await rename(near, to)
      return true
    },
  )
  await rm(near, { force: true })
  return won
}
