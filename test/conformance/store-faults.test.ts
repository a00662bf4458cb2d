/** What stores do when their servers are away, refuse, break off or lose answers. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CreateMultipartUploadCommand, ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import type { ObjectStore } from '../../src/core/object-store.ts'
import { tableColumn } from '../../src/core/table-schema.ts'
import type { CommitRequest } from '../../src/core/commit-request.ts'
import { openOrCreateTable, openTable, type Table } from '../../src/lakehouse/table.ts'
import { openStore } from '../../src/operations/stores.ts'
import { createChance, sampled } from '../support/chance.ts'
import { openLink, type Link } from '../support/link.ts'
import { atRandom, faultyServer } from '../support/s3-faults.ts'
import { ADDRESS, REMOTE, storeServers } from '../support/store-servers.ts'

const { folder, servers, storeOf } = storeServers()

const text = (value: string): Buffer => Buffer.from(value)

test.each(REMOTE)(
  '%s: a server that is gone is a named error; one that comes back in time is none',
  async (kind) => {
    const store = storeOf(kind)
    servers[kind].pause()
    setTimeout(() => servers[kind].resume(), 1_500)
    expect(await store.read('nothing/here')).toBeUndefined()
    await store.write('there.json', text('mine'))
    const [link, away] = await throughLink(kind)
    expect(String(await away.read('there.json'))).toBe('mine')
    await link.close()
    await expect(away.read('there.json')).rejects.toMatchObject({ code: 'store_unreachable' })
  },
)

test('s3: a wrong login and a bucket that does not exist are named', async () => {
  await expect((await openStore('s3://no-such-bucket/x')).write('a', text('x'))).rejects.toMatchObject({
    code: 'store_not_found',
  })
  const secret = process.env.AWS_SECRET_ACCESS_KEY
  process.env.AWS_SECRET_ACCESS_KEY = 'wrong-secret'
  const denied = await openStore(servers.s3.root('denied'))
  await expect(denied.write('a', text('x'))).rejects.toMatchObject({ code: 'store_auth_failed' })
  process.env.AWS_SECRET_ACCESS_KEY = secret
})

test('hdfs: who may not write is told so', async () => {
  process.env.HADOOP_USER_NAME = 'mallory'
  const denied = await openStore(servers.hdfs.root('denied'))
  await expect(denied.writeIfAbsent('_delta_log/0.json', text('x'))).rejects.toMatchObject({
    code: 'store_auth_failed',
  })
  process.env.HADOOP_USER_NAME = servers.hdfs.env.HADOOP_USER_NAME
})

test('s3: uploads that were broken off are ended by a sweep, once they are old', async () => {
  const client = new S3Client({
    endpoint: servers.s3.env.AWS_ENDPOINT_URL,
    region: 'us-east-1',
    forcePathStyle: true,
  })
  await client.send(new CreateMultipartUploadCommand({ Bucket: 'lake', Key: 'main/data/broken.parquet' }))
  const open = async (): Promise<number> =>
    (await client.send(new ListMultipartUploadsCommand({ Bucket: 'lake' }))).Uploads?.length ?? 0
  await storeOf('s3').sweep(Date.now() - 3_600_000)
  expect(await open()).toBe(1)
  await storeOf('s3').sweep(Date.now() + 60_000)
  expect(await open()).toBe(0)
})

/** Until an answer comes: six attempts in a row fail too, once in a thousand requests. */
async function again<T>(action: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await action()
    } catch (error) {
      if ((error as { code?: string }).code !== 'store_unreachable') throw error
    }
  }
}

/** Four writers of one table, each with ten commits. */
async function commitAtOnce(root: string): Promise<void> {
  const openFaulty = async (): Promise<Table> =>
    openOrCreateTable(await openStore(root), {
      schema: { columns: [tableColumn('a', 'string')], partitionColumns: [] },
      configuration: {},
      nowMs: 1,
    })
  const writers = await Promise.all(Array.from({ length: 4 }, () => again(openFaulty)))
  await Promise.all(
    writers.map(async (table, writer) => {
      for (let n = 0; n < 10; n += 1) {
        const request: CommitRequest = {
          id: `${writer}-${n}`,
          operation: 'WRITE',
          adds: [{ path: `${writer}-${n}.parquet`, size: 1, partitionValues: {}, stats: '{"numRecords":1}' }],
          removes: [],
          marks: { [`w${writer}`]: n + 1 },
          expect: { [`w${writer}`]: n === 0 ? undefined : n },
        }
        await again(() => table.commit(request, Date.now()))
      }
    }),
  )
}

const UPLOAD_BYTES = 17 * 1024 * 1024
async function upload(root: string): Promise<void> {
  const file = join(folder, 'upload')
  writeFileSync(file, Buffer.alloc(UPLOAD_BYTES, 'headrace'))
  const store = await again(() => openStore(root))
  // False is right too: it says that the name is taken, by itself when an answer was lost.
  for (let n = 0; n < 10; n += 1) await again(() => store.createFrom(file, `${n}.parquet`))
}

async function overwrite(root: string): Promise<void> {
  const store = await again(() => openStore(root))
  for (let n = 0; n < 20; n += 1) await again(() => store.write(`${n % 5}`, text(`write ${n}`)))
}

test.each(sampled(REMOTE, 1))(
  '%s: with three requests in ten refused, broken off or answered into nothing, each commit happens once, and each file is there',
  async (kind) => {
    const server = servers[kind]
    const variable = ADDRESS[kind]
    const chance = createChance()
    process.stderr.write(`seed ${chance.seed}\n`)
    const faulty = await faultyServer(server.env[variable], atRandom(0.3, chance))
    process.env[variable] = faulty.endpoint
    const [tableRoot, uploadRoot, writeRoot] = ['faulty', 'faulty-uploads', 'faulty-writes'].map(server.root)
    await Promise.all([commitAtOnce(tableRoot), upload(uploadRoot), overwrite(writeRoot)])
    process.env[variable] = server.env[variable]
    faulty.close()
    const table = await openTable(await openStore(tableRoot))
    expect([table?.snapshot.version, table?.snapshot.files.size]).toEqual([40, 40])
    const uploaded = await (await openStore(uploadRoot)).list('')
    expect(uploaded.map((file) => file.size)).toEqual(Array.from({ length: 10 }, () => UPLOAD_BYTES))
    const written = await openStore(writeRoot)
    expect(await Promise.all([0, 1, 2, 3, 4].map(async (n) => String(await written.read(`${n}`))))).toEqual(
      [15, 16, 17, 18, 19].map((n) => `write ${n}`),
    )
    expect(Math.min(...Object.values(faulty.made))).toBeGreaterThan(3)
  },
)

test('hdfs: a write whose answer was lost is settled by what lies there', async () => {
  const { hdfs } = servers
  let left = 0
  const faulty = await faultyServer(hdfs.env.HEADRACE_WEBHDFS, ({ url }) =>
    url?.includes('op=RENAME') === true && left-- > 0 ? 'lost' : undefined,
  )
  process.env.HEADRACE_WEBHDFS = faulty.endpoint
  const store = await openStore(hdfs.root('lost-answers'))
  process.env.HEADRACE_WEBHDFS = hdfs.env.HEADRACE_WEBHDFS
  for (const lost of [1, 2]) {
    for (const content of ['first', 'second']) {
      left = lost
      await store.write('a.json', text(content))
      expect(String(await store.read('a.json'))).toBe(content)
    }
  }
  expect(faulty.made.lost).toBe(6)
  expect((await store.list('')).map((file) => file.name)).toEqual(['a.json'])
  faulty.close()
})

/** The main root through a link that can be cut. */
async function throughLink(kind: string): Promise<[Link, ObjectStore]> {
  const variable = ADDRESS[kind]
  const server = servers[kind]
  const link = await openLink(() => Number(new URL(server.env[variable]).port))
  process.env[variable] = `http://127.0.0.1:${link.port}`
  const store = await openStore(server.root('main'))
  process.env[variable] = server.env[variable]
  return [link, store]
}
