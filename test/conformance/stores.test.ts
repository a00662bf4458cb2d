/**
 * What every store must do, on each against its real server: atomic creation, races, ranges, listing, big
 * files.
 */
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import type { ObjectStore } from '../../src/core/object-store.ts'
import { sampled } from '../support/chance.ts'
import { REMOTE, storeServers } from '../support/store-servers.ts'

/** One that is remote in each run: a name node and its data node cost more to start than all of these tests. */
const REMOTE_KIND = sampled(REMOTE, 1)
const KINDS = ['local', ...REMOTE_KIND]
const { folder, servers, storeOf, open } = storeServers(REMOTE_KIND)

const text = (value: string): Buffer => Buffer.from(value)
test.each(KINDS)(
  '%s: what is written is read, whole and in part; what is not there is no error',
  async (kind) => {
    const store = storeOf(kind)
    await store.write('a/b.bin', text('0123456789'))
    expect(String(await store.read('a/b.bin'))).toBe('0123456789')
    expect(String(await store.readRange('a/b.bin', 2, 5))).toBe('234')
    expect(await store.stat('a/b.bin')).toMatchObject({ name: 'a/b.bin', size: 10 })
    await store.write('a/b.bin', text('new'))
    expect(String(await store.read('a/b.bin'))).toBe('new')
    expect([
      await store.read('a/none'),
      await store.readRange('a/none', 0, 1),
      await store.stat('a/none'),
    ]).toEqual([undefined, undefined, undefined])
    await store.delete('a/none')
    await store.delete('a/b.bin')
    expect(await store.read('a/b.bin')).toBeUndefined()
  },
)

test.each(KINDS)('%s: names of every kind keep apart', async (kind) => {
  const store = storeOf(kind)
  const names = ['data/year=2010/ä b+c%20.parquet', 'data/year=2010/ä b c .parquet', 'data/x#y?z&.parquet']
  for (const name of names) await store.write(name, text(name))
  expect(await Promise.all(names.map(async (name) => String(await store.read(name))))).toEqual(names)
  expect((await store.list('data')).map((file) => file.name)).toEqual(names.toSorted())
  for (const name of names) await store.delete(name)
})

test.each(KINDS)('%s: of 16 that create a name at once one succeeds, and its bytes stand', async (kind) => {
  const store = storeOf(kind)
  for (let round = 0; round < 5; round += 1) {
    const name = `_delta_log/${String(round).padStart(20, '0')}.json`
    const made = await Promise.all(
      Array.from({ length: 16 }, (_, i) => store.writeIfAbsent(name, text(`writer ${i}`))),
    )
    expect(made.filter(Boolean)).toHaveLength(1)
    expect(String(await store.read(name))).toBe(`writer ${made.indexOf(true)}`)
  }
  expect((await store.list('_delta_log')).map((file) => file.name)).toHaveLength(5)
})

test.each(KINDS)(
  '%s: a creation whose answer was lost is recognised when it is tried again',
  async (kind) => {
    const store = storeOf(kind)
    expect(await store.writeIfAbsent('_delta_log/lost.json', text('mine'))).toBe(true)
    expect(await store.writeIfAbsent('_delta_log/lost.json', text('mine'))).toBe(true)
    expect(await store.writeIfAbsent('_delta_log/lost.json', text('theirs'))).toBe(false)
    expect(String(await store.read('_delta_log/lost.json'))).toBe('mine')
  },
)

test.each(KINDS)('%s: listing is complete, in order, below a folder, after a name', async (kind) => {
  const other = await open(kind, 'listed')
  // S3 lists in pages of a thousand.
  const count = kind === 'hdfs' ? 120 : 1_050
  const names = Array.from({ length: count }, (_, i) => `log/${String(i).padStart(5, '0')}.json`)
  for (let at = 0; at < names.length; at += 40)
    await Promise.all(names.slice(at, at + 40).map((name) => other.write(name, text('x'))))
  await other.write('logs/apart', text('x'))
  expect((await other.list('log')).map((file) => file.name)).toEqual(names)
  expect((await other.list('log', 'log/00100.json')).map((file) => file.name)).toEqual(names.slice(101))
  expect(await other.list('nothing')).toEqual([])
  expect((await other.list('')).length).toBe(count + 1)
})

test.each(KINDS)(
  '%s: a file that an engine wrote is durable after sync, and can be staged elsewhere',
  async (kind) => {
    const store = storeOf(kind)
    const big = Buffer.alloc(21 * 1024 * 1024, 'headrace')
    await store.local.makeFolder('data/f')
    writeFileSync(store.local.path('data/f/big.parquet'), big)
    writeFileSync(store.local.path('data/f/empty.parquet'), '')
    await store.local.sync(['data/f/big.parquet', 'data/f/empty.parquet'])
    expect([
      (await store.stat('data/f/big.parquet'))?.size,
      (await store.stat('data/f/empty.parquet'))?.size,
    ]).toEqual([big.length, 0])
    if (kind !== 'local') rmSync(store.local.path('data/f/big.parquet'))
    await store.local.stage(['data/f/big.parquet'])
    expect(readFileSync(store.local.path('data/f/big.parquet')).equals(big)).toBe(true)
    await store.delete('data/f/big.parquet')
    expect(() => statSync(store.local.path('data/f/big.parquet'))).toThrow()
  },
)

test.each(KINDS)(
  '%s: a file of a private folder moves to its place, where folders are new; a twin has its bytes; empty folders go',
  async (kind) => {
    const store = await open(kind, 'moved')
    const bytes = Buffer.alloc(6 * 1024 * 1024, 'headrace')
    const names = ['written', 'by itself', 'twin'].map((file) => `part=a b%2Fü%2541/${file}.parquet`)
    await store.local.makeFolder('_writing/one')
    writeFileSync(store.local.path('_writing/one/x.parquet'), bytes)
    await store.local.move('_writing/one/x.parquet', names[0])
    // As an engine that writes into the store without us.
    await store.write('_writing/one/y.parquet', bytes)
    await store.local.move('_writing/one/y.parquet', names[1])
    await store.local.sync(names.slice(0, 2))
    await store.copy(names[0], names[2])
    await store.local.sync([names[2]])
    await store.local.dropFolder('_writing/one')
    expect((await store.list('')).map((file) => [file.name, file.size])).toEqual(
      names.map((name) => [name, bytes.length]).toSorted(),
    )
    for (const name of names) expect((await store.read(name))?.equals(bytes)).toBe(true)
    for (const name of names) await store.delete(name)
    expect(await store.list('')).toEqual([])
    expect(await foldersIn(kind, store)).toEqual([])
  },
)

async function foldersIn(kind: string, store: ObjectStore): Promise<unknown[]> {
  if (kind === 's3') return []
  if (kind === 'local') return readdirSync(store.root)
  const { FileStatuses } = (await (
    await fetch(
      `${servers.hdfs.env.HEADRACE_WEBHDFS}/webhdfs/v1${new URL(store.address('')).pathname}?op=LISTSTATUS`,
    )
  ).json()) as { FileStatuses: { FileStatus: unknown[] } }
  return FileStatuses.FileStatus
}

test.each(KINDS)(
  '%s: of four that upload a file under one name at once the first to end wins, whole; the others learn it, and nothing is left of them',
  async (kind) => {
    const store = storeOf(kind)
    // The large ones several times: a server called one done that the winner had ended, in one of ten such
    // races.
    const large = Array.from(
      { length: kind === 's3' ? 8 : 1 },
      (_, i) => [`published/large-${i}.parquet`, 21 * 1024 * 1024] as const,
    )
    for (const [name, bytes] of [['published/small.parquet', 10] as const, ...large]) {
      const files = Array.from({ length: 4 }, (_, i) => join(folder, `from-${i}`))
      files.forEach((path, i) => writeFileSync(path, Buffer.alloc(bytes, `writer ${i} `)))
      const won = await Promise.all(files.map((path) => store.createFrom(path, name)))
      expect(won.filter(Boolean)).toHaveLength(1)
      expect((await store.read(name))?.equals(readFileSync(files[won.indexOf(true)]))).toBe(true)
      expect(await store.createFrom(files[0], name)).toBe(false)
      expect((await store.read(name))?.equals(readFileSync(files[won.indexOf(true)]))).toBe(true)
    }
    expect(await leftovers(kind, 'published')).toEqual([])
  },
)

/** What an upload that did not end leaves where users do not look. */
async function leftovers(kind: string, below: string): Promise<unknown[]> {
  if (kind === 'local')
    return readdirSync(storeOf(kind).local.path(below)).filter((name) => name.startsWith('.'))
  if (kind === 's3')
    return (
      (
        await new S3Client({
          endpoint: servers.s3.env.AWS_ENDPOINT_URL,
          region: 'us-east-1',
          forcePathStyle: true,
        }).send(new ListMultipartUploadsCommand({ Bucket: 'lake', Prefix: `main/${below}` }))
      ).Uploads ?? []
    )
  const { FileStatuses } = (await (
    await fetch(
      `${servers.hdfs.env.HEADRACE_WEBHDFS}/webhdfs/v1${new URL(storeOf(kind).address(below)).pathname}?op=LISTSTATUS`,
    )
  ).json()) as { FileStatuses: { FileStatus: { pathSuffix: string }[] } }
  return FileStatuses.FileStatus.filter((status) => status.pathSuffix.startsWith('.'))
}

test.each(KINDS)(
  '%s: a file that should be there and is not is an error by name, on sync and on staging',
  async (kind) => {
    const store = storeOf(kind)
    await expect(store.local.sync(['data/g/none.parquet'])).rejects.toMatchObject({ name: 'HeadraceError' })
    if (kind !== 'local')
      await expect(store.local.stage(['data/g/none.parquet'])).rejects.toMatchObject({
        code: 'path_not_found',
      })
  },
)

test.each(KINDS)('%s: what interrupted writes left is swept, and never listed', async (kind) => {
  const store = storeOf(kind)
  const names = (await store.list('')).map((file) => file.name)
  expect(names.filter((name) => /tmp|probe/.test(name))).toEqual([])
  await store.sweep(Date.now() + 60_000)
  expect((await store.list('')).map((file) => file.name)).toEqual(names)
})
