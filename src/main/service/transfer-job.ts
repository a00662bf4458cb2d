/** One execution of a transfer: from its source into one Parquet file, published whole under the execution's name or not at all. */
import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { glob, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { NULL_TEXT, readPostgres, type PostgresConfig, type PostgresCursor, type PostgresLogin } from '../../connectors/postgres/source.ts'
import { failure, storageFailure } from '../../core/errors.ts'
import { headerOf, type Header } from '../../formats/csv/header.ts'
import { lockDown, openSession, type DuckSession } from '../../engines/duckdb/session.ts'
import { transfer, unhexed, type TransferInput, type TransferResult } from '../../engines/duckdb/transfer.ts'
import { name } from '../../engines/duckdb/sql.ts'
import { allowedAddress, egressPolicy } from './dial.ts'
import { tenantPath } from './tenant-paths.ts'
import type { Progress, Receipt, Work } from './work.ts'

const DEFAULT_SAMPLE_ROWS = 10_000

interface Read extends TransferResult {
  bytes: number
  /** Rows that the whole source has, as well as is known. */
  totalRows: number
  cursor?: unknown
  startupSeconds: number
}

/** Runs it. `now` in seconds, monotonic. */
export async function runTransfer(work: Work, progress: Progress, now: () => number): Promise<{ receipt: Receipt; cursor: unknown }> {
  const started = now()
  const staged = join(work.workFolder, 'data.parquet')
  const rejects = join(work.workFolder, 'rejects.parquet')
  await mkdir(work.workFolder, { recursive: true })
  const session = await openSession({ memoryBytes: Math.floor(work.memoryBytes * 0.6), threads: work.threads, spillFolder: join(work.workFolder, 'spill') })
  let read: Read
  try {
    read = await readSource(work, session, { staged, rejects, progress, now })
  } finally {
    await session.close()
  }
  const output = await publish(work, staged, read.rejected > 0 ? rejects : undefined)
  const seconds = now() - started
  const share = read.totalRows > 0 ? Math.min(1, read.rows / read.totalRows) : 1
  const written = (await Promise.all(output.map((path) => stat(path)))).reduce((sum, file) => sum + file.size, 0)
  const receipt: Receipt = {
    rows: read.rows, rejected: read.rejected, bytes_read: read.bytes, bytes_written: written, output, work_seconds: round(seconds - read.startupSeconds), startup_seconds: round(read.startupSeconds),
    ...(work.draft ? { sample_share: share, estimated_seconds: Math.max(1, round(work.estimatedMinutes * 60 * share)) } : {}),
  }
  return { receipt, cursor: work.draft ? undefined : read.cursor }
}

const round = (value: number): number => Math.round(value * 1_000) / 1_000

interface Target {
  staged: string
  rejects: string
  progress: Progress
  now: () => number
}

async function readSource(work: Work, session: DuckSession, target: Target): Promise<Read> {
  if (work.sourceType === 'postgres') return readTable(work, session, target)
  if (work.sourceType === 'files') return readFiles(work, session, target)
  throw failure('not_supported', { feature: `${work.sourceType} as source of an execution`, instead: 'Use postgres or files.' })
}

const limitOf = (work: Work): number | undefined => (work.draft ? Number(work.source.sample_rows ?? DEFAULT_SAMPLE_ROWS) : undefined)

/** PostgreSQL writes CSV into a pipe that DuckDB reads: neither holds more than a buffer of it. */
async function readTable(work: Work, session: DuckSession, { staged, progress, now }: Target): Promise<Read> {
  const begun = now()
  const config = work.source as unknown as PostgresConfig
  const address = await allowedAddress(egressPolicy(), config.host, config.port ?? 5432)
  const login = (work.sourceSecret ?? {}) as unknown as PostgresLogin
  const source = await readPostgres(config, login, address, { since: (work.cursor ?? undefined) as PostgresCursor | undefined, limit: limitOf(work) })
  try {
    const pipe = join(work.workFolder, 'rows.csv')
    await promisify(execFile)('mkfifo', ['-m', '600', pipe])
    const startupSeconds = now() - begun
    let bytes = 0
    const counted = new Transform({ transform: (chunk: Buffer, _, done) => ((bytes += chunk.length), progress(0, bytes, 'reading'), done(null, chunk)) })
    const select = source.columns.map((column) => (column.hex ? unhexed(column.name) : name(column.name))).join(', ')
    const input: TransferInput = { format: 'csv', paths: [pipe], header: false, columns: Object.fromEntries(source.columns.map((column) => [column.name, column.duckType])), nullText: NULL_TEXT, select }
    const [result] = await Promise.all([transfer(session, input, staged), pipeline(source.stream, counted, createWriteStream(pipe))])
    return { ...result, bytes, totalRows: source.estimatedRows, cursor: source.cursor, startupSeconds }
  } finally {
    await source.close()
  }
}

interface FilesConfig {
  path: string
  format: TransferInput['format']
  /** In order. With a header, names are matched with it, so that the file's order counts. */
  columns?: { name: string; type: string }[]
  header?: boolean
  delimiter?: string
  quote?: string
  null_text?: string
  /** `new` (each file once) or `full`. */
  mode?: 'new' | 'full'
}

/** Files that match, each taken once unless the mode is `full`. */
async function readFiles(work: Work, session: DuckSession, { staged, rejects, progress, now }: Target): Promise<Read> {
  const begun = now()
  const config = work.source as unknown as FilesConfig
  const taken = (work.cursor as { taken?: Record<string, string> } | null)?.taken ?? {}
  const found = await matching(config.path, work)
  const fresh = config.mode === 'full' || work.draft ? found : found.filter((file) => taken[file.path] !== file.mark)
  const cursor = { taken: Object.fromEntries(found.map((file) => [file.path, file.mark])) }
  if (fresh.length === 0) throw failure('path_not_found', { path: found.length === 0 ? config.path : `Anything new at ${config.path}`, base: 'the tenant\'s folder' })
  await lockDown(session, [...new Set(fresh.map((file) => dirname(file.path))), work.workFolder])
  const bytes = fresh.reduce((sum, file) => sum + file.size, 0)
  progress(0, bytes, 'reading')
  const startupSeconds = now() - begun
  const input: TransferInput = { format: config.format, paths: fresh.map((file) => file.path), ...(await columnsOf(config, fresh)), header: config.header, delimiter: config.delimiter, quote: config.quote, nullText: config.null_text, limit: limitOf(work), rejects: true }
  const result = await transfer(session, input, staged, rejects)
  return { ...result, bytes: work.draft ? 0 : bytes, totalRows: work.draft ? await rowsOf(fresh) : result.rows, cursor, startupSeconds }
}

/** Declared columns in the order of the files' header. Throws when a file lacks one, or has them in another order than the first. */
async function columnsOf(config: FilesConfig, files: { path: string }[]): Promise<Pick<TransferInput, 'columns' | 'newLine'>> {
  if (config.columns === undefined) return {}
  const declared = new Map(config.columns.map((column) => [column.name, column.type]))
  if (config.format !== 'csv' || config.header === false) return { columns: Object.fromEntries(declared) }
  const [first, ...rest] = await Promise.all(files.map(async ({ path }) => ({ path, ...(await namesOf(path, config)) })))
  const missing = [...declared.keys()].find((one) => !first.names.includes(one))
  if (missing !== undefined) throw failure('source_not_found', { address: first.path, what: `column ${missing}`, known: `its header has ${first.names.join(', ').slice(0, 200)}.` })
  const other = rest.find((file) => file.names.join('\0') !== first.names.join('\0'))
  if (other !== undefined) throw failure('source_failed', { address: other.path, reason: `its header (${other.names.join(', ').slice(0, 200)}) differs from that of ${first.path}` })
  // What is not declared is read as text and kept: a column is not lost because nobody named it.
  return { columns: Object.fromEntries(first.names.map((one) => [one, declared.get(one) ?? 'VARCHAR'])), newLine: first.newLine }
}

const HEADER_BYTES = 1024 * 1024

async function namesOf(path: string, { delimiter, quote }: FilesConfig): Promise<Header> {
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0)
  const text = buffer.toString('utf8', 0, bytesRead)
  const header = headerOf(bytesRead < HEADER_BYTES ? `${text}\n` : text, delimiter, quote)
  if (header === undefined) throw failure('source_failed', { address: path, reason: `its header does not end within ${HEADER_BYTES} bytes` })
  const twin = header.names.find((one, i) => header.names.indexOf(one) !== i)
  if (twin !== undefined) throw failure('source_failed', { address: path, reason: `its header has ${twin.slice(0, 60)} twice` })
  return header
}

async function matching(pattern: string, work: Work): Promise<{ path: string; size: number; mark: string }[]> {
  const fixed = pattern.replace(/[^/]*[*?[{].*$/, '')
  const base = await tenantPath(fixed === '' ? '.' : fixed, { tenantFolder: work.tenantFolder, allowed: work.allowedPaths })
  const files: { path: string; size: number; mark: string }[] = []
  const rest = pattern.slice(fixed.length)
  const names: string[] = rest === '' ? [''] : []
  if (rest !== '') for await (const one of glob(rest, { cwd: base })) names.push(one)
  for (const one of names.toSorted()) {
    const path = await tenantPath(join(base, one), { tenantFolder: work.tenantFolder, allowed: [...work.allowedPaths, base] })
    const info = await stat(path).catch(() => undefined)
    if (info?.isFile() === true) files.push({ path, size: info.size, mark: `${info.size}:${Math.floor(info.mtimeMs)}` })
  }
  return files
}

/** Rows of text files by the length of their first lines. */
async function rowsOf(files: { path: string; size: number }[]): Promise<number> {
  const [first] = files
  await using handle = await open(first.path)
  const buffer = Buffer.alloc(Math.min(first.size, 1 << 20))
  await handle.read(buffer, 0, buffer.length, 0)
  let lines = 0
  for (const byte of buffer) if (byte === 10) lines += 1
  const perLine = lines === 0 ? buffer.length : buffer.length / lines
  return Math.round(files.reduce((sum, file) => sum + file.size, 0) / Math.max(1, perLine))
}

/** Moves what is durable to its place under the execution's name: a second attempt of the same execution replaces it by the same. */
async function publish(work: Work, staged: string, rejects: string | undefined): Promise<string[]> {
  const folder = work.draft ? work.scratchFolder : await tenantPath(String(work.destination.path), { tenantFolder: work.tenantFolder, allowed: work.allowedPaths })
  if (!work.draft && work.destination.type !== 'local') throw failure('not_supported', { feature: `${String(work.destination.type)} as destination of an execution`, instead: 'Use type local.' })
  const outputs = [join(folder, `${work.executionId}.parquet`)]
  await moveDurably(staged, outputs[0])
  if (rejects !== undefined) {
    outputs.push(join(folder, '_rejects', `${work.executionId}.parquet`))
    await moveDurably(rejects, outputs[1])
  }
  return outputs
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
