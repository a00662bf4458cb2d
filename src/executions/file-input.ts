/** Files as input of a transfer, each taken once: from a local folder or from a bucket. */
import { hash } from 'node:crypto'
import { copyFile, glob, open, stat } from 'node:fs/promises'
import { basename, dirname, join, matchesGlob } from 'node:path'
import { failure } from '../core/errors.ts'
import { lockDown, type DuckSession } from '../engines/duckdb/session.ts'
import { transfer } from '../engines/duckdb/transfer.ts'
import { checkColumns } from './declared-columns.ts'
import type { FileSettings } from './file-plan.ts'
import { openTenantStore, type StoreConfig } from './tenant-store.ts'
import { rootsOf, tenantPath } from './tenant-paths.ts'
import { readTexts } from './text-read.ts'
import { limitOf, nothingNew, sessionBytes, type Read, type Target } from './transfer-read.ts'
import type { Progress, Work } from './work.ts'

type FilesConfig = Omit<FileSettings, 'format'> & {
  path: string
  format: FileSettings['format'] | 'parquet'
  /** `new` (each file once) or `full`. */
  mode?: 'new' | 'full'
}

interface InputFile {
  /** The name in the source. */
  name: string
  size: number
  /** Changes with the file. */
  mark: string
}

interface Matching {
  files: InputFile[]
  /** Whether a file of this name would belong to them, if it existed. */
  covers(name: string): boolean
}

/** A place of files: lists the matching ones, and brings files to where DuckDB opens them. */
interface FilePlace {
  matching(pattern: string): Promise<Matching>
  bring(files: InputFile[]): Promise<string[]>
}

/** A draft reads files up to this many bytes: its sample is in the first ones. */
const DRAFT_BYTES = 256 * 1024 * 1024

interface Fresh {
  place: FilePlace
  found: InputFile[]
  fresh: InputFile[]
  cursor: { taken: Record<string, string> }
}

/** Marks of earlier versions have no tag of the store: there, the size and the second decide. */
function isTaken(known: string | undefined, mark: string): boolean {
  if (known === undefined) return false
  return known === mark || (known.split(':').length === 2 && mark.startsWith(`${known}:`))
}

/**
 * Matching files, and those that were not taken yet (all of them in mode `full`). Without any matching file,
 * it is an error.
 */
async function freshOf(work: Work): Promise<Fresh> {
  const config = work.source as unknown as FilesConfig
  const place = work.sourceType === 's3' ? await bucketOf(work) : folderOf(work)
  const taken = (work.cursor as { taken?: Record<string, string> } | null | undefined)?.taken ?? {}
  const { files: found, covers } = await place.matching(config.path)
  if (found.length === 0)
    throw failure('path_not_found', {
      path: config.path,
      base: work.sourceType === 's3' ? `the bucket ${String(work.source.bucket)}` : "the tenant's folder",
    })
  // Files that another pattern took stay taken. A file that this pattern would match and that is gone is
  // forgotten.
  const elsewhere = Object.entries(taken).filter(([name]) => !covers(name))
  const cursor = { taken: Object.fromEntries([...elsewhere, ...found.map((file) => [file.name, file.mark])]) }
  const untaken = found.filter((file) => config.mode === 'full' || !isTaken(taken[file.name], file.mark))
  return { place, found, fresh: work.draft ? firstOf(found) : untaken, cursor }
}

/** Copies new files unchanged, in the order of their names. */
export async function copyFresh(
  work: Work,
  folder: string,
  progress: Progress,
): Promise<{ of: unknown; bytes: number; share: number }> {
  const { place, found, fresh, cursor } = await freshOf(work)
  let bytes = 0
  for (const [i, path] of (await place.bring(fresh)).entries()) {
    await copyFile(path, join(folder, `${String(i).padStart(6, '0')}-${endOf(basename(fresh[i].name))}`))
    progress(i + 1, (bytes += fresh[i].size), 'fetching')
  }
  return { of: cursor, bytes, share: sizeOf(found) === 0 ? 1 : bytes / sizeOf(found) }
}

/** The end of a very long name that leaves room for more: at most 240 bytes. */
const endOf = (name: string): string => [...name].slice(-60).join('')

/**
 * The name of an object's copy. A key is no path: it may be longer than a file name, and `a//b` and `a/../b`
 * are other objects than `a/b` and `b`.
 */
function copyName(key: string): string {
  const shown = endOf(basename(key)).replaceAll(/[^\w.-]/g, '_')
  return `${hash('sha256', key).slice(0, 32)}-${shown}`
}

/** The files to read, at paths where DuckDB and we can open them. */
export interface BroughtFiles {
  files: { path: string; name: string }[]
  bytes: number
  cursor: unknown
  /** Share of the bytes of all matching files. */
  share: number
  found: InputFile[]
}

/** Brings the new files. */
export async function bringFresh(work: Work): Promise<BroughtFiles> {
  const { place, found, fresh, cursor } = await freshOf(work)
  const paths = fresh.length === 0 ? [] : await place.bring(fresh)
  const [bytes, all] = [sizeOf(fresh), sizeOf(found)]
  return {
    files: paths.map((path, i) => ({ path, name: fresh[i].name })),
    bytes,
    cursor,
    share: all === 0 ? 1 : bytes / all,
    found,
  }
}

const sizeOf = (files: InputFile[]): number => files.reduce((total, file) => total + file.size, 0)

/** Reads matching files, each once unless the mode is `full`. It succeeds if there are no new ones. */
export async function readFiles(
  work: Work,
  session: DuckSession,
  { staged, rejects, progress, now }: Target,
): Promise<Read> {
  const begun = now()
  const config = work.source as unknown as FilesConfig
  checkColumns(work.source)
  const { files, bytes, cursor, found } = await bringFresh(work)
  if (files.length === 0) return nothingNew(cursor, now() - begun)
  const paths = files.map((file) => file.path)
  await lockDown(session, [...new Set(paths.map((path) => dirname(path))), work.workFolder])
  progress(0, bytes, 'reading')
  const startupSeconds = now() - begun
  const limit = limitOf(work)
  const { format } = config
  const result =
    format === 'parquet'
      ? await transfer(session, { format, paths, limit }, staged)
      : await readTexts(session, {
          settings: { ...config, format },
          files,
          limit,
          staged,
          rejects,
          memoryBytes: sessionBytes(work),
          progress,
        })
  return {
    ...result,
    bytes: work.draft ? 0 : bytes,
    totalRows: work.draft ? await rowsOf(paths[0], found) : result.rows,
    cursor,
    startupSeconds,
  }
}

function firstOf(files: InputFile[]): InputFile[] {
  let bytes = 0
  return files.filter((file, i) => {
    const before = bytes
    bytes += file.size
    return i === 0 || before < DRAFT_BYTES
  })
}

const wildcards = /[^/]*[*?[{].*$/

/** Below the tenant's folder, or where the operator allows it. */
function folderOf(work: Work): FilePlace {
  const roots = rootsOf(work)
  // `report[1].csv` means the file of that name, if it exists.
  const isFile = async (pattern: string): Promise<boolean> => {
    if (pattern.includes('*') || !wildcards.test(pattern)) return false
    const path = await tenantPath(pattern, roots).catch(() => undefined)
    return path !== undefined && (await stat(path).catch(() => undefined))?.isFile() === true
  }
  return {
    bring: async (files) => files.map((file) => file.name),
    async matching(pattern) {
      const fixed = (await isFile(pattern)) ? pattern : pattern.replace(wildcards, '')
      const base = await tenantPath(fixed === '' ? '.' : fixed, roots)
      const files: InputFile[] = []
      const rest = pattern.slice(fixed.length)
      const names: string[] = rest === '' ? [''] : []
      if (rest !== '') for await (const name of glob(rest, { cwd: base })) names.push(name)
      for (const name of names.toSorted()) {
        const path = await tenantPath(join(base, name), { ...roots, allowed: [...work.allowedPaths, base] })
        const info = await stat(path).catch(() => undefined)
        if (info?.isFile() === true)
          files.push({ name: path, size: info.size, mark: `${info.size}:${Math.floor(info.mtimeMs)}` })
      }
      const covers = (name: string): boolean =>
        rest === ''
          ? name === base
          : name.startsWith(`${base}/`) && matchesGlob(name.slice(base.length + 1), rest)
      return { files, covers }
    },
  }
}

/** Objects of a bucket, copied to the folder of the execution before they are read. */
async function bucketOf(work: Work): Promise<FilePlace> {
  const store = await openTenantStore(
    { ...(work.source as unknown as StoreConfig), type: 's3', path: '' },
    work.sourceSecret,
    join(work.workFolder, 'objects'),
    copyName,
  )
  return {
    async matching(pattern) {
      const path = pattern.replace(/^\/+/, '')
      const fixed = path.replace(wildcards, '').replace(/\/+$/, '')
      const object = path.includes('*') ? undefined : await store.stat(path)
      // Consoles show a key with a slash at its end as an empty folder.
      const isMeant = ({ name }: { name: string }): boolean => !name.endsWith('/') && matchesGlob(name, path)
      const objects = object === undefined ? (await store.list(fixed)).filter(isMeant) : [object]
      const files = objects.map(({ name, size, modifiedMs, tag }) => ({
        name,
        size,
        mark: [size, modifiedMs, ...(tag === undefined ? [] : [tag])].join(':'),
      }))
      return { files, covers: (name) => name === path || matchesGlob(name, path) }
    },
    async bring(files) {
      const names = files.map((file) => file.name)
      await store.local.stage(names)
      return names.map((name) => store.local.path(name))
    },
  }
}

/** Estimates the rows of text files from the lengths of the first file's first lines. */
async function rowsOf(first: string, files: InputFile[]): Promise<number> {
  await using handle = await open(first)
  const buffer = Buffer.alloc(Math.min((await handle.stat()).size, 1 << 20))
  await handle.read(buffer, 0, buffer.length, 0)
  let lines = 0
  for (const byte of buffer) if (byte === 10) lines += 1
  const perLine = lines === 0 ? buffer.length : buffer.length / lines
  return Math.round(files.reduce((sum, file) => sum + file.size, 0) / Math.max(1, perLine))
}
