/** Object stores for tests: a folder, S3 and HDFS, each with its real server. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { ObjectStore } from '../../src/core/object-store.ts'
import { openStore } from '../../src/operations/stores.ts'
import { keepEnvironment } from './environment.ts'
import { startHdfs, startS3, type StorageServer } from './storage.ts'

export const REMOTE = ['s3', 'hdfs']
/** What a store is told of where its server is. */
export const ADDRESS: Record<string, string> = { s3: 'AWS_ENDPOINT_URL', hdfs: 'HEADRACE_WEBHDFS' }

export interface StoreServers {
  folder: string
  servers: Record<string, StorageServer>
  /** The store `main` of a kind. */
  storeOf(kind: string): ObjectStore
  open(kind: string, name: string): Promise<ObjectStore>
}

/** Servers and the environment that names them, from before the first test of a file until its last. */
export function storeServers(remote = REMOTE): StoreServers {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-stores-'))
  const servers: Record<string, StorageServer> = {}
  const stores: Record<string, ObjectStore> = {}
  const restoreEnvironment = keepEnvironment()
  const open = (kind: string, name: string): Promise<ObjectStore> =>
    openStore(kind === 'local' ? join(folder, name) : servers[kind].root(name))
  beforeAll(async () => {
    Object.assign(process.env, { HEADRACE_HOME: join(folder, 'home') })
    await Promise.all(
      remote.map(async (kind) => {
        servers[kind] = await (kind === 's3' ? startS3() : startHdfs())
        Object.assign(process.env, servers[kind].env)
      }),
    )
    for (const kind of ['local', ...remote]) stores[kind] = await open(kind, 'main')
  })
  afterAll(() => {
    for (const server of Object.values(servers)) server.kill()
    restoreEnvironment()
  })
  return { folder, servers, storeOf: (kind) => stores[kind], open }
}
