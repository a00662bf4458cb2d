/**
 * Backup and restore of an installation with the built-in PostgreSQL: the database as of one moment (an
 * online physical backup), then all files. Files are durable before the database refers to them and never
 * change under their names. So the copy has every file that the database refers to. A manifest with the hash
 * of every file is written last: without it there is no backup.
 */
import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { cp, lstat, mkdir, open, readFile, readdir, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import pg from 'pg'
import { failure, reasonOf } from '../core/errors.ts'
import { writeWhole } from '../secrets/whole-file.ts'
import { databaseFolder, giveToServer, ownerUrl, startPostgres } from './postgres-server.ts'

export interface BackupReport extends Record<string, unknown> {
  folder: string
  files: number
  bytes: number
  seconds: number
  /** The moment of the database. */
  as_of: string
}

interface Manifest {
  version: string
  as_of: string
  files: Record<string, { bytes: number; sha256: string }>
}

const MANIFEST = 'manifest.json'
/** Files that a new start creates again, or that belong to this process only. */
const LEFT_OUT = new Set([
  'postgres',
  'postgres.log',
  'postgres.creating',
  'work',
  'spill',
  'staging',
  'locks',
  'service.json',
  'spark',
  'compiled',
  'node',
  'parts',
  'test-venv',
])
const DATABASE_LEFT_OUT =
  /^(postmaster\.(pid|opts)|pg_wal|pg_replslot|pg_dynshmem|pg_notify|pg_serial|pg_snapshots|pg_stat_tmp|pg_subtrans)(\/|$)/

/** Copies everything into an empty folder, with or without a running service. */
export async function backup({
  home,
  target,
  version,
  say,
}: {
  home: string
  target: string
  version: string
  say(text: string): void
}): Promise<BackupReport> {
  const started = performance.now()
  const folder = resolve(target)
  await needEmpty(folder)
  if (relative(home, folder) !== '' && !relative(home, folder).startsWith('..'))
    throw failure('usage', { reason: `${folder} is inside of HEADRACE_HOME, which is to be backed up` })
  await mkdir(join(folder, 'postgres'), { recursive: true, mode: 0o700 })
  const asOf = await copyDatabase(home, join(folder, 'postgres'), say)
  say('The database is copied. Copying the files ...')
  for (const name of await readdir(home))
    if (!LEFT_OUT.has(name))
      await cp(join(home, name), join(folder, name), {
        recursive: true,
        preserveTimestamps: true,
        verbatimSymlinks: true,
      })
  const files = await hashesOf(folder)
  await writeWhole(
    join(folder, MANIFEST),
    JSON.stringify({ version, as_of: asOf, files } satisfies Manifest, undefined, 1),
  )
  return report(folder, asOf, files, started)
}

/**
 * Checks every file of a backup, copies it into an empty home, and lets the database recover once. A dry run
 * ends after the check.
 */
export async function restore({
  home,
  source,
  dryRun,
  say,
}: {
  home: string
  source: string
  dryRun: boolean
  say(text: string): void
}): Promise<BackupReport> {
  const started = performance.now()
  const folder = resolve(source)
  const manifest = await verifyBackup(folder)
  const data = databaseFolder(home)
  if (existsSync(data))
    throw failure('usage', {
      reason: `There is already a database at ${data}. Restore into another HEADRACE_HOME`,
    })
  if (dryRun) return report(folder, manifest.as_of, manifest.files, started)
  await mkdir(home, { recursive: true })
  for (const name of await readdir(folder))
    if (name !== MANIFEST && name !== 'postgres')
      await cp(join(folder, name), join(home, name), {
        recursive: true,
        preserveTimestamps: true,
        verbatimSymlinks: true,
      })
  await mkdir(dirname(data), { recursive: true })
  await cp(join(folder, 'postgres'), data, { recursive: true, preserveTimestamps: true })
  if (join(home, 'postgres') !== data) await cp(join(folder, 'postgres.login'), `${data}.login`)
  await giveToServer(data)
  say('Everything is copied. Recovering the database ...')
  const server = await startPostgres({ home })
  await server.stop()
  return report(home, manifest.as_of, manifest.files, started)
}

/** Compares every file with its hash. Throws `backup_damaged` with the first that differs. */
export async function verifyBackup(folder: string): Promise<Manifest> {
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch((error: unknown) => {
    throw failure(
      'backup_damaged',
      { folder, reason: `it has no ${MANIFEST}, so it was not finished (${reasonOf(error)})` },
      error,
    )
  })
  const manifest = JSON.parse(text) as Manifest
  for (const [name, { bytes, sha256 }] of Object.entries(manifest.files)) {
    const info = await lstat(join(folder, name)).catch(() => undefined)
    if (info?.size !== bytes || (await hashOf(join(folder, name))) !== sha256)
      throw failure('backup_damaged', {
        folder,
        reason: info === undefined ? `${name} is missing` : `${name} was changed since the backup`,
      })
  }
  return manifest
}

/**
 * An online backup by PostgreSQL's own steps: begin, copy all files, end, then the log that makes them
 * consistent.
 */
async function copyDatabase(home: string, target: string, say: (text: string) => void): Promise<string> {
  const data = databaseFolder(home)
  if (!existsSync(data))
    throw failure('usage', {
      reason: `There is no built-in database at ${data}. Back up your own PostgreSQL with its own tools`,
    })
  const running = await ownerUrl(home)
  const server = running === undefined ? await startPostgres({ home }) : undefined
  const client = new pg.Client({ connectionString: running ?? server?.url })
  await client.connect()
  try {
    say('Copying the database ...')
    await client.query("SELECT pg_backup_start('headrace', true)")
    await cp(data, target, {
      recursive: true,
      preserveTimestamps: true,
      filter: (path) => !DATABASE_LEFT_OUT.test(relative(data, path)),
    })
    const {
      rows: [stop],
    } = await client.query<{ labelfile: string; at: Date }>(
      'SELECT labelfile, clock_timestamp() AS at FROM pg_backup_stop(false)',
    )
    for (const name of [
      'pg_wal',
      'pg_replslot',
      'pg_dynshmem',
      'pg_notify',
      'pg_serial',
      'pg_snapshots',
      'pg_stat_tmp',
      'pg_subtrans',
    ])
      await mkdir(join(target, name), { recursive: true, mode: 0o700 })
    await cp(join(data, 'pg_wal'), join(target, 'pg_wal'), { recursive: true, preserveTimestamps: true })
    await writeFile(join(target, 'backup_label'), stop.labelfile, { mode: 0o600 })
    return stop.at.toISOString()
  } finally {
    await client.end()
    await server?.stop()
  }
}

async function needEmpty(folder: string): Promise<void> {
  if (existsSync(folder) && (await readdir(folder)).length > 0)
    throw failure('usage', { reason: `${folder} is not empty. Give a new folder` })
}

async function hashesOf(folder: string): Promise<Manifest['files']> {
  const files: Manifest['files'] = {}
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    await using file = await open(path)
    await file.sync()
    files[relative(folder, path)] = { bytes: (await file.stat()).size, sha256: await hashOf(path) }
  }
  return files
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

function report(folder: string, asOf: string, files: Manifest['files'], started: number): BackupReport {
  const sizes = Object.values(files)
  return {
    folder,
    files: sizes.length,
    bytes: sizes.reduce((sum, file) => sum + file.bytes, 0),
    seconds: Math.round((performance.now() - started) / 100) / 10,
    as_of: asOf,
  }
}
