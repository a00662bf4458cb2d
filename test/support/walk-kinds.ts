/** The kinds of sources that walks go on, each with its real server. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeAtEnd } from './at-end.ts'
import { startMariaDb } from './mariadb.ts'
import { postgres, run } from './service.ts'
import { startS3 } from './storage.ts'
import { bucketsSource, csvFolder, parquetFolder } from './walk-files.ts'
import { mysqlSource, postgresSource } from './walk-tables.ts'
import type { WalkSource } from './walk-sources.ts'

export const KINDS = ['postgres', 'mysql', 'files', 'folder', 's3'] as const
export type Kind = (typeof KINDS)[number]

/** `walk`: a name that no other has. */
export type OpenSource = (kind: Kind, walk: string, tenantFolder: string) => Promise<WalkSource>

/** Starts the servers of these kinds; they end with this process. */
export async function startKinds(kinds: readonly Kind[]): Promise<OpenSource> {
  const [postgresUrl, maria, buckets] = await Promise.all([
    kinds.includes('postgres') ? postgresDatabase() : undefined,
    kinds.includes('mysql') ? startMariaDb() : undefined,
    kinds.includes('s3') ? s3Buckets() : undefined,
  ])
  return async (kind, walk, tenantFolder) => {
    if (kind === 'postgres') return postgresSource(postgresUrl as string, walk)
    if (kind === 'mysql') return mysqlSource(maria as Awaited<ReturnType<typeof startMariaDb>>, walk)
    if (kind === 's3') return bucketsSource(buckets as Awaited<ReturnType<typeof s3Buckets>>, walk)
    return kind === 'folder' ? csvFolder(tenantFolder) : parquetFolder(tenantFolder)
  }
}

async function postgresDatabase(): Promise<string> {
  const { url } = await postgres()
  await run(url, `CREATE DATABASE walks_${process.pid}`)
  return url.replace(/\/[^/]*$/, `/walks_${process.pid}`)
}

async function s3Buckets(): Promise<{ endpoint: string; folder: string; secret: object }> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-walk-s3-'))
  removeAtEnd(folder)
  const { env } = await startS3({ folder })
  const secret = { access_key_id: env.AWS_ACCESS_KEY_ID, secret_access_key: env.AWS_SECRET_ACCESS_KEY }
  return { endpoint: env.AWS_ENDPOINT_URL, folder: join(folder, 'data'), secret }
}
