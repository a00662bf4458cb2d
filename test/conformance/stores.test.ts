/** What every store must do, on each against its real server: atomic creation, races, lost answers, ranges, listing, big files, outages. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ObjectStore } from '../../src/core/object-store.ts'
import { openStore } from '../../src/main/stores.ts'
import { openLink, type Link } from '../support/link.ts'
import { startHdfs, startS3, type StorageServer } from '../support/storage.ts'

const folder = mkdtempSync(join(tmpdir(), 'headrace-stores-'))
const servers: Record<string, () => Promise<StorageServer | undefined>> = { local: async () => undefined, s3: startS3, hdfs: startHdfs }
const text = (value: string): Buffer => Buffer.from(value)
let roots = 0

describe.each(Object.keys(servers))('%s', (kind) => {
  let server: StorageServer | undefined
  let store: ObjectStore
  const before = { ...process.env }
  const open = (name = `root-${(roots += 1)}`): Promise<ObjectStore> => openStore(server === undefined ? join(folder, name) : server.root(name))

  beforeAll(async () => {
    server = await servers[kind]()
    Object.assign(process.env, { HEADRACE_HOME: join(folder, `home-${kind}`) }, server?.env)
    store = await open('main')
  })
  afterAll(() => {
    server?.kill()
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
    Object.assign(process.env, before)
  })

  test('what is written is read, whole and in part; what is not there is no error', async () => {
    await store.write('a/b.bin', text('0123456789'))
    expect(String(await store.read('a/b.bin'))).toBe('0123456789')
    expect(String(await store.readRange('a/b.bin', 2, 5))).toBe('234')
    expect(await store.stat('a/b.bin')).toMatchObject({ name: 'a/b.bin', size: 10 })
    await store.write('a/b.bin', text('new'))
    expect(String(await store.read('a/b.bin'))).toBe('new')
    expect([await store.read('a/none'), await store.readRange('a/none', 0, 1), await store.stat('a/none')]).toEqual([undefined, undefined, undefined])
    await store.delete('a/none')
    await store.delete('a/b.bin')
    expect(await store.read('a/b.bin')).toBeUndefined()
  })

  test('names of every kind keep apart', async () => {
    const names = ['data/year=2010/ä b+c%20.parquet', 'data/year=2010/ä b c .parquet', 'data/x#y?z&.parquet']
    for (const name of names) await store.write(name, text(name))
    expect(await Promise.all(names.map(async (name) => String(await store.read(name))))).toEqual(names)
    expect((await store.list('data')).map((one) => one.name)).toEqual(names.toSorted())
    for (const name of names) await store.delete(name)
  })

  test('of 16 that create a name at once one succeeds, and its bytes stand', async () => {
    for (let round = 0; round < 5; round += 1) {
      const name = `_delta_log/${String(round).padStart(20, '0')}.json`
      const made = await Promise.all(Array.from({ length: 16 }, (_, i) => store.writeIfAbsent(name, text(`writer ${i}`))))
      expect(made.filter(Boolean)).toHaveLength(1)
      expect(String(await store.read(name))).toBe(`writer ${made.indexOf(true)}`)
    }
    expect((await store.list('_delta_log')).map((one) => one.name)).toHaveLength(5)
  })

  test('a creation whose answer was lost is recognised when it is tried again', async () => {
    expect(await store.writeIfAbsent('_delta_log/lost.json', text('mine'))).toBe(true)
    expect(await store.writeIfAbsent('_delta_log/lost.json', text('mine'))).toBe(true)
    expect(await store.writeIfAbsent('_delta_log/lost.json', text('theirs'))).toBe(false)
    expect(String(await store.read('_delta_log/lost.json'))).toBe('mine')
  })

  test('listing is complete, in order, below a folder, after a name', async () => {
    const other = await open()
    const names = Array.from({ length: 1_050 }, (_, i) => `log/${String(i).padStart(5, '0')}.json`)
    for (let at = 0; at < names.length; at += 40) await Promise.all(names.slice(at, at + 40).map((name) => other.write(name, text('x'))))
    await other.write('logs/apart', text('x'))
    expect((await other.list('log')).map((one) => one.name)).toEqual(names)
    expect((await other.list('log', 'log/01000.json')).map((one) => one.name)).toEqual(names.slice(1001))
    expect(await other.list('nothing')).toEqual([])
    expect((await other.list('')).length).toBe(1_051)
  })

  test('a file that an engine wrote is durable after sync, and can be staged elsewhere', async () => {
    const big = Buffer.alloc(21 * 1024 * 1024, 'headrace')
    await store.makeFolder('data/f')
    writeFileSync(store.localPath('data/f/big.parquet'), big)
    writeFileSync(store.localPath('data/f/empty.parquet'), '')
    await store.sync(['data/f/big.parquet', 'data/f/empty.parquet'])
    expect([(await store.stat('data/f/big.parquet'))?.size, (await store.stat('data/f/empty.parquet'))?.size]).toEqual([big.length, 0])
    if (kind !== 'local') rmSync(store.localPath('data/f/big.parquet'))
    await store.stage(['data/f/big.parquet'])
    expect(readFileSync(store.localPath('data/f/big.parquet')).equals(big)).toBe(true)
    await store.delete('data/f/big.parquet')
    expect(() => statSync(store.localPath('data/f/big.parquet'))).toThrow()
  })

  test('a file that should be there and is not is an error by name, on sync and on staging', async () => {
    await expect(store.sync(['data/g/none.parquet'])).rejects.toMatchObject({ name: 'HeadraceError' })
    if (kind !== 'local') await expect(store.stage(['data/g/none.parquet'])).rejects.toMatchObject({ code: 'path_not_found' })
  })

  test('what interrupted writes left is swept, and never listed', async () => {
    const names = (await store.list('')).map((one) => one.name)
    expect(names.filter((name) => /tmp|probe/.test(name))).toEqual([])
    await store.sweep(Date.now() + 60_000)
    expect((await store.list('')).map((one) => one.name)).toEqual(names)
  })

  if (kind !== 'local') test('a server that is gone is a named error; one that comes back in time is none', async () => {
    server?.pause()
    setTimeout(() => server?.resume(), 1_500)
    expect(await store.read('nothing/here')).toBeUndefined()
    const [link, away] = await throughLink(kind, server as StorageServer)
    expect(String(await away.read('_delta_log/lost.json'))).toBe('mine')
    await link.close()
    await expect(away.read('_delta_log/lost.json')).rejects.toMatchObject({ code: 'store_unreachable' })
  })

  if (kind === 's3') test('a wrong login and a bucket that does not exist are named', async () => {
    await expect((await openStore('s3://no-such-bucket/x')).write('a', text('x'))).rejects.toMatchObject({ code: 'store_not_found' })
    const secret = process.env.AWS_SECRET_ACCESS_KEY
    process.env.AWS_SECRET_ACCESS_KEY = 'wrong-secret'
    const denied = await openStore((server as StorageServer).root('denied'))
    await expect(denied.write('a', text('x'))).rejects.toMatchObject({ code: 'store_auth_failed' })
    process.env.AWS_SECRET_ACCESS_KEY = secret
  })

  if (kind === 'hdfs') test('who may not write is told so', async () => {
    process.env.HADOOP_USER_NAME = 'mallory'
    const denied = await openStore((server as StorageServer).root('denied'))
    await expect(denied.writeIfAbsent('_delta_log/0.json', text('x'))).rejects.toMatchObject({ code: 'store_auth_failed' })
    process.env.HADOOP_USER_NAME = server?.env.HADOOP_USER_NAME
  })
})

/** The main root through a link that can be cut. */
async function throughLink(kind: string, server: StorageServer): Promise<[Link, ObjectStore]> {
  const variable = kind === 's3' ? 'AWS_ENDPOINT_URL' : 'HEADRACE_WEBHDFS'
  const link = await openLink(() => Number(new URL(server.env[variable]).port))
  process.env[variable] = `http://127.0.0.1:${link.port}`
  const store = await openStore(server.root('main'))
  process.env[variable] = server.env[variable]
  return [link, store]
}
