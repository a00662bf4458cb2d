/**
 * Buckets and HDFS as source and destination of transfers, on real servers: with the tenant's own login,
 * whole or not at all, each object once.
 */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { createStaging } from '../../src/lakehouse/stores/staging.ts'
import { createS3Store } from '../../src/lakehouse/stores/s3.ts'
import { outputPlace, publish } from '../../src/executions/transfer-output.ts'
import { openTenantStore } from '../../src/executions/tenant-store.ts'
import type { Outcome, Work } from '../../src/executions/work.ts'
import { openFolder } from '../support/service.ts'
import { startHdfs, startS3, type StorageServer } from '../support/storage.ts'
import { rowsOf, runWork, workOf } from '../support/transfers.ts'

const home = openFolder('headrace-objects-')
const tenant = join(home, 'tenant')
mkdirSync(join(tenant, 'in'), { recursive: true })
let s3: StorageServer
let place: { bucket: string; endpoint: string }
let keys: Record<string, string>

beforeAll(async () => {
  s3 = await startS3()
  place = { bucket: 'lake', endpoint: s3.env.AWS_ENDPOINT_URL }
  keys = { access_key_id: s3.env.AWS_ACCESS_KEY_ID, secret_access_key: s3.env.AWS_SECRET_ACCESS_KEY }
  process.env.HEADRACE_ALLOW_HOSTS = `127.0.0.1:${new URL(place.endpoint).port}`
})

const transferOf = (more: Partial<Work>): Promise<Outcome> =>
  runWork(
    workOf(home, {
      source: { path: 'in/a.csv', format: 'csv' },
      sourceSecret: keys,
      destinationSecret: keys,
      tenantFolder: tenant,
      ...more,
    }),
  )

async function put(name: string, text: string): Promise<void> {
  const store = createS3Store(
    {
      bucket: 'lake',
      prefix: '',
      endpoint: place.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: keys.access_key_id, secretAccessKey: keys.secret_access_key },
    },
    createStaging(join(home, 'put'), Date.now),
  )
  await store.write(name, Buffer.from(text))
}

const count = async (path: string): Promise<number> =>
  Number((await rowsOf([path], 'SELECT count(*) AS n FROM T'))[0].n)

test('a bucket as source: each object once, new ones later, a sample for a draft', async () => {
  await put('landing/orders/1.csv', 'id,name\n1,a\n2,b\n')
  await put('landing/orders/2.csv', 'id,name\n3,c\n')
  await put('landing/other.csv', 'id,name\n9,z\n')
  const source = {
    ...place,
    path: '/landing/orders/*.csv',
    format: 'csv',
    columns: [{ name: 'id', type: 'BIGINT' }],
  }
  const first = await transferOf({ sourceType: 's3', source })
  expect(first.receipt).toMatchObject({ rows: 3, rejected: 0 })
  expect((await transferOf({ sourceType: 's3', source, cursor: first.cursor })).receipt).toMatchObject({
    rows: 0,
    output: [],
  })
  await put('landing/orders/3.csv', 'id,name\n4,d\n')
  const next = await transferOf({ sourceType: 's3', source, cursor: first.cursor })
  expect(next.receipt).toMatchObject({ rows: 1 })
  expect(
    (await transferOf({ sourceType: 's3', source: { ...source, sample_rows: 2 }, draft: true })).receipt,
  ).toMatchObject({ rows: 2 })
  await expect(
    transferOf({ sourceType: 's3', source: { ...source, path: 'nothing/*.csv' } }),
  ).rejects.toMatchObject({ code: 'path_not_found' })
})

test('an object that is written again in the same second, with as many bytes, is another one', async () => {
  const source = { ...place, path: '/rewritten/*.csv', format: 'csv' }
  await put('rewritten/1.csv', 'id\n1\n')
  const { cursor } = await transferOf({ sourceType: 's3', source })
  await put('rewritten/1.csv', 'id\n2\n')
  const next = await transferOf({ sourceType: 's3', source, cursor })
  expect(await rowsOf([next.receipt.output[0] ?? ''], 'SELECT id FROM T')).toEqual([{ id: 2 }])
  // What an earlier version remembers has no tag, and stays taken.
  const untagged = JSON.parse(JSON.stringify(next.cursor).replace(/(\d+:\d+):\w+/, '$1'))
  expect(untagged).not.toEqual(next.cursor)
  expect((await transferOf({ sourceType: 's3', source, cursor: untagged })).receipt.rows).toBe(0)
})

test('a folder that a console made, and names as long as a name may be', async () => {
  await put('shown/', '')
  await put('shown/in/', '')
  await put(`shown/in/${'a'.repeat(250)}.csv`, 'id\n1\n')
  await put('shown/2.csv', 'id\n2\n')
  const source = { ...place, path: 'shown/**', format: 'csv', columns: [{ name: 'id', type: 'BIGINT' }] }
  const { receipt } = await transferOf({ sourceType: 's3', source })
  expect(await rowsOf(receipt.output.slice(0, 1), 'SELECT id::INT AS id FROM T ORDER BY id')).toEqual([
    { id: 1 },
    { id: 2 },
  ])
  expect(receipt).toMatchObject({ rows: 2, rejected: 0 })
})

test('keys that are no paths: each object is read, and none for another', async () => {
  // Servers that lay objects down as files have no such keys; Amazon's has.
  const keys = ['odd/1.csv', 'odd//1.csv', 'odd/../1.csv', 'odd/./1.csv', '/odd/1.csv', 'odd/1.csv/2.csv']
  const server = createServer((request, response) => {
    if (request.url?.includes('list-type=2') === true)
      return void response.end(
        `<ListBucketResult>${keys.map((key) => `<Contents><Key>${key}</Key><Size>5</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>`).join('')}<IsTruncated>false</IsTruncated></ListBucketResult>`,
      )
    const asked = decodeURIComponent(String(request.url).split('?')[0]).replace('/odd-keys/', '')
    const at = keys.indexOf(asked)
    if (at < 0) return void response.writeHead(404).end()
    response.end(`id\n${at}\n`)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  process.env.HEADRACE_ALLOW_HOSTS += `,127.0.0.1:${port}`
  const source = { bucket: 'odd-keys', endpoint: `http://127.0.0.1:${port}`, path: '**', format: 'csv' }
  const { receipt } = await transferOf({ sourceType: 's3', source })
  expect(
    (await rowsOf(receipt.output.slice(0, 1), 'SELECT id::INT AS id FROM T ORDER BY id')).map(
      (row) => row.id,
    ),
  ).toEqual(keys.map((_, i) => i))
  server.close()
})

test('a bucket as destination: the file and its rejects are there, whole; again is the same; more than a part of an upload', async () => {
  writeFileSync(
    join(tenant, 'in', 'a.csv'),
    `id,name\n${Array.from({ length: 400_000 }, (_, i) => `${i},${Math.imul(i, 2_654_435_761) >>> 0}-${Math.imul(i, 40_503) >>> 0}-${i * 7919}`).join('\n')}\noops,x\n`,
  )
  const destination = { type: 's3', ...place, path: '/ingestion/orders/', format: 'parquet' }
  const source = {
    path: 'in/a.csv',
    format: 'csv',
    columns: [
      { name: 'id', type: 'BIGINT' },
      { name: 'name', type: 'VARCHAR' },
    ],
  }
  const { receipt } = await transferOf({ executionId: 'large', source, destination })
  expect(receipt).toMatchObject({
    rows: 400_000,
    rejected: 1,
    output: [`s3://lake/ingestion/orders/large.parquet`, `s3://lake/ingestion/orders/_rejects/large.parquet`],
  })
  const store = await openTenantStore(
    { type: 's3', ...place, path: 'ingestion/orders' },
    keys,
    join(home, 'check'),
  )
  await store.local.stage(['large.parquet'])
  expect(await count(store.local.path('large.parquet'))).toBe(400_000)
  expect(receipt.bytes_written).toBeGreaterThan(5 * 1024 * 1024)
})

test('of two attempts that end at once, both give the outcome whose file is there', async () => {
  const work = workOf(home, {
    executionId: 'twice',
    destination: { type: 's3', ...place, path: 'twice' },
    destinationSecret: keys,
  })
  const ended = await Promise.all(
    [3, 5].map(async (rows, i): Promise<Outcome> => {
      const staged = join(home, `staged-${i}.parquet`)
      await rowsOf([], `COPY (SELECT range AS id FROM range(${rows})) TO '${staged}' (FORMAT parquet)`)
      const receipt = {
        rows,
        rejected: 0,
        bytes_read: 0,
        bytes_written: 0,
        output: [],
        work_seconds: 0,
        startup_seconds: 0,
      }
      return publish(await outputPlace({ ...work, workFolder: join(home, `attempt-${i}`) }), work, {
        staged,
        rejects: undefined,
        outcome: { receipt, cursor: { rows } },
      })
    }),
  )
  const store = await openTenantStore({ type: 's3', ...place, path: 'twice' }, keys, join(home, 'twice'))
  await store.local.stage(['twice.parquet'])
  const rows = await count(store.local.path('twice.parquet'))
  expect(ended.map((attempt) => [attempt.receipt.rows, attempt.cursor])).toEqual([
    [rows, { rows }],
    [rows, { rows }],
  ])
  const late = join(home, 'late.parquet')
  await rowsOf([], `COPY (SELECT 1 AS id) TO '${late}' (FORMAT parquet)`)
  const other = await publish(await outputPlace({ ...work, workFolder: join(home, 'attempt-late') }), work, {
    staged: late,
    rejects: late,
    outcome: { ...ended[0], cursor: 'late' },
  })
  expect([other.cursor, await store.list('_rejects')]).toEqual([{ rows }, []])
})

test("logins of the installation are never a tenant's; addresses go through the door; each refusal has its name", async () => {
  Object.assign(process.env, s3.env)
  const destination = { type: 's3', ...place, path: 'x', format: 'parquet' }
  writeFileSync(join(tenant, 'in', 'b.csv'), 'id\n1\n')
  const source = { path: 'in/b.csv', format: 'csv' }
  await expect(transferOf({ source, destination, destinationSecret: undefined })).rejects.toMatchObject({
    code: 'setting_missing',
  })
  await expect(
    transferOf({
      source,
      destination,
      destinationSecret: { access_key_id: 'AKIAWRONG', secret_access_key: 'wrong' },
    }),
  ).rejects.toMatchObject({ code: 'store_auth_failed' })
  await expect(
    transferOf({ source, destination: { ...destination, bucket: 'nowhere' } }),
  ).rejects.toMatchObject({ code: expect.stringMatching(/store_(not_found|auth_failed)/) })
  const port = new URL(place.endpoint).port
  for (const endpoint of [
    'http://169.254.169.254',
    `http://[::1]:${port}`,
    `http://0.0.0.0:${port}`,
    'http://127.0.0.1:1',
  ]) {
    await expect(
      transferOf({ source, destination: { ...destination, endpoint } }),
      endpoint,
    ).rejects.toMatchObject({ code: 'address_denied' })
  }
  for (const name of Object.keys(s3.env)) delete process.env[name]
})

test('HDFS as destination: the file is there, whole; data nodes are reached through the door too', async () => {
  const hdfs = await startHdfs()
  const { port } = new URL(hdfs.env.HEADRACE_WEBHDFS)
  writeFileSync(join(tenant, 'in', 'c.csv'), `id\n${Array.from({ length: 1_000 }, (_, i) => i).join('\n')}\n`)
  const work = {
    executionId: 'onhdfs',
    source: { path: 'in/c.csv', format: 'csv' },
    destination: { type: 'hdfs', host: '127.0.0.1', port: Number(port), path: '/ingestion/orders' },
    destinationSecret: { username: hdfs.env.HADOOP_USER_NAME },
  }
  process.env.HEADRACE_ALLOW_HOSTS = `127.0.0.1:${port}`
  await expect(transferOf(work)).rejects.toMatchObject({ code: 'address_denied' })
  process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1'
  const { receipt } = await transferOf(work)
  expect(receipt).toMatchObject({ rows: 1_000 })
  const answer = spawnSync('curl', [
    '-sL',
    `${hdfs.env.HEADRACE_WEBHDFS}/webhdfs/v1/ingestion/orders/onhdfs.parquet?op=OPEN&user.name=${hdfs.env.HADOOP_USER_NAME}`,
  ])
  writeFileSync(join(home, 'fetched.parquet'), answer.stdout)
  expect(await count(join(home, 'fetched.parquet'))).toBe(1_000)
  hdfs.kill()
})
