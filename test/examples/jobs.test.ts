/**
 * The jobs of examples/, as a tenant creates them: each passes the checks of a dry run as it stands, and then
 * runs against real servers, with their addresses in place of those of the file.
 */
import { cpSync, mkdirSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { jobOfFile } from '../../src/cli/job-file.ts'
import { startRunner } from '../../src/control/loops/runner.ts'
import { startScheduler, type Loop } from '../../src/control/loops/scheduler.ts'
import { SOURCE_TYPES } from '../../src/core/service/source-types.ts'
import { connectTo, startMariaDb } from '../support/mariadb.ts'
import { freshDatabase, purchase, run, testService, type TestService } from '../support/service.ts'
import { startHdfs, startS3, type StorageServer } from '../support/storage.ts'
import { broker, place, produce, until } from '../support/system.ts'

interface Job {
  job_name: string
  source_type: string
  source_config: Record<string, unknown>
  destination_config: Record<string, unknown>
}

interface Execution {
  status: string
  receipt: { rows: number; rejected: number; output: string[] }
}

const FOLDER = 'examples/jobs'
const NAMES = readdirSync(FOLDER).map((name) => name.replace('.json', ''))
const jobOf = (name: string): Job => jobOfFile(join(FOLDER, `${name}.json`)) as Job
const SQL = readFileSync('examples/data/orders.sql', 'utf8')

let service: TestService
let tenant: Awaited<ReturnType<TestService['tenant']>>
let loops: Loop[] = []
const ran = new Set<string>()
const at = (path: string): string => `/tenants/${tenant.id}/${path}`
const ask = <T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> =>
  service.call<T>(method, at(path), { token: tenant.owner, body })
const secret = (name: string, value: Record<string, string>): Promise<unknown> =>
  ask('PUT', `secrets/${name}`, { value })

beforeAll(async () => {
  process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1,localhost'
  service = await testService()
  tenant = await service.tenant('acme')
  await ask('POST', 'purchases', purchase('vcpu_hours', 10))
  const folder = join(service.context.home, 'tenants', tenant.id, 'examples')
  mkdirSync(folder, { recursive: true })
  cpSync('examples/data', folder, { recursive: true })
  for (const name of ['pg-reader', 'mysql-reader']) await secret(name, { username: 'reader', password: 'x' })
  await secret('s3-keys', { access_key_id: 'x', secret_access_key: 'x' })
  await secret('hdfs-user', { username: 'reader' })
})

afterAll(async () => {
  for (const loop of loops.toReversed()) await loop.stop()
  delete process.env.HEADRACE_ALLOW_HOSTS
  await service.close()
})

test.each(NAMES)('%s passes the checks of headrace jobs create --dry-run', async (name) => {
  const answer = await ask('POST', 'jobs?dry_run=true', jobOf(name))
  expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 201, body: { job_name: name } })
})

/** Runs it in production: as it is after its draft was promoted. */
async function ranJob(job: Job): Promise<Execution> {
  if (loops.length === 0) {
    const log = (event: unknown): void => void process.stderr.write(`${JSON.stringify(event)}\n`)
    loops = [startScheduler(service.context, log), startRunner(service.context, log)]
  }
  const { job_id: id } = (await ask<{ job_id: string }>('POST', 'jobs', job)).body
  await service.context.gate.service
    .updateTable('ingestion_jobs')
    .set({ status: 'active', namespace: 'vcpu-hours-ns' })
    .where('job_id', '=', id)
    .execute()
  const { execution_id: execution } = (await ask<{ execution_id: string }>('POST', `jobs/${id}/run`)).body
  const ended = await until(
    'the end of the execution',
    async () => {
      const { body } = await ask<Execution>('GET', `executions/${execution}`)
      return ['scheduled', 'booked', 'running'].includes(body.status) ? undefined : body
    },
    120_000,
  )
  expect(ended, JSON.stringify(ended)).toMatchObject({ status: 'succeeded' })
  ran.add(job.job_name)
  return ended
}

/** The job of a file with other addresses; each changes what is there and adds nothing that the file lacks. */
function movedTo(name: string, source: object, destination: object = {}): Job {
  const job = jobOf(name)
  for (const [config, change] of [
    [job.source_config, source],
    [job.destination_config, destination],
  ] as const) {
    expect(Object.keys(config)).toEqual(expect.arrayContaining(Object.keys(change)))
    Object.assign(config, change)
  }
  return job
}

test('csv-to-local: four rows and a reject', async () => {
  const { receipt } = await ranJob(jobOf('csv-to-local'))
  expect(receipt).toMatchObject({
    rows: 4,
    rejected: 1,
    output: [expect.stringMatching(/orders\/.*\.parquet$/), expect.anything()],
  })
}, 150_000)

test('csv-to-zones: four rows and a reject', async () => {
  expect((await ranJob(jobOf('csv-to-zones'))).receipt).toMatchObject({ rows: 4, rejected: 1 })
}, 150_000)

async function startedS3(): Promise<{ s3: StorageServer; endpoint: string }> {
  const s3 = await startS3()
  const { AWS_ENDPOINT_URL: endpoint, AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: key } = s3.env
  await secret('s3-keys', { access_key_id: id, secret_access_key: key })
  return { s3, endpoint }
}

test('json-to-s3, and s3-to-local reads a bucket', async () => {
  const { s3, endpoint } = await startedS3()
  const { receipt } = await ranJob(movedTo('json-to-s3', {}, { endpoint }))
  expect(receipt).toMatchObject({
    rows: 4,
    rejected: 1,
    output: [expect.stringMatching(/^s3:\/\/lake\/examples\/orders\//), expect.anything()],
  })
  const { S3Client, PutObjectCommand } = await import('@aws-sdk/client-s3')
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: s3.env.AWS_ACCESS_KEY_ID, secretAccessKey: s3.env.AWS_SECRET_ACCESS_KEY },
  })
  const csv = readFileSync('examples/data/orders.csv')
  await client.send(new PutObjectCommand({ Bucket: 'lake', Key: 'landing/orders.csv', Body: csv }))
  expect((await ranJob(movedTo('s3-to-local', { endpoint }))).receipt).toMatchObject({ rows: 4, rejected: 1 })
  s3.kill()
}, 240_000)

test('xml-to-hdfs', async () => {
  const hdfs = await startHdfs()
  await secret('hdfs-user', { username: hdfs.env.HADOOP_USER_NAME })
  const { hostname: host, port } = new URL(hdfs.env.HEADRACE_WEBHDFS)
  const { receipt } = await ranJob(movedTo('xml-to-hdfs', {}, { host, port: Number(port) }))
  expect(receipt).toMatchObject({
    rows: 4,
    rejected: 1,
    output: [expect.stringContaining('hdfs://'), expect.anything()],
  })
  hdfs.kill()
}, 240_000)

test('postgres-to-local', async () => {
  const url = new URL(await freshDatabase())
  await run(url.href, SQL)
  await secret('pg-reader', { username: url.username, password: url.password })
  const source = { host: '127.0.0.1', port: Number(url.port), database: url.pathname.slice(1) }
  expect((await ranJob(movedTo('postgres-to-local', source))).receipt).toMatchObject({ rows: 5, rejected: 0 })
}, 150_000)

test('mysql-to-zones', async () => {
  const server = await startMariaDb()
  const client = await connectTo(server, { multipleStatements: true })
  await client.query(SQL)
  await client.end()
  await secret('mysql-reader', server.login)
  const source = { host: '127.0.0.1', port: server.port }
  expect((await ranJob(movedTo('mysql-to-zones', source))).receipt).toMatchObject({ rows: 5, rejected: 0 })
}, 150_000)

test('kafka-to-zones', async () => {
  const kafka = await broker()
  const where = place(kafka.address)
  await produce(where, 100)
  const declaration = String(jobOf('kafka-to-zones').source_config.declaration)
    .replace('localhost:9092', kafka.address)
    .replace('book_data_topic', where.topic)
  const { receipt } = await ranJob(movedTo('kafka-to-zones', { declaration }))
  expect(receipt.rows).toBeGreaterThan(50)
}, 150_000)

/** Estimated, and refused by name when it runs. */
const WITHOUT = ['sftp']

test('each source and each destination has an example', async () => {
  const jobs = NAMES.map(jobOf)
  const sources = new Set(jobs.map((job) => job.source_type))
  expect([...sources].toSorted()).toEqual(SOURCE_TYPES.filter((type) => !WITHOUT.includes(type)).toSorted())
  const job = movedTo('csv-to-local', {}, { type: 'nowhere' })
  const { next } = (await ask<{ next: string }>('POST', 'jobs?dry_run=true', job)).body
  const [, known] = /one of ([\w, ]+)/.exec(next) ?? []
  const destinations = new Set(jobs.map((example) => String(example.destination_config.type)))
  expect([...destinations].toSorted()).toEqual(known.split(', ').toSorted())
})

test('each example has run', () => {
  expect([...ran].toSorted()).toEqual(NAMES.toSorted())
})
