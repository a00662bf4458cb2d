/**
 * Addresses that lead inside, in every way of writing them: no connector and no webhook of a tenant reaches
 * one.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { lookup } from 'node:dns/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { SOURCE_TYPES } from '../../src/core/service/source-types.ts'
import { SOURCE } from '../../src/dataset/schema/source.ts'
import { deniedReason } from '../../src/net/egress.ts'
import { runZones } from '../../src/executions/zone-job.ts'
import { createDeliveries } from '../../src/control/loops/deliveries.ts'
import type { Work } from '../../src/executions/work.ts'
import { runWork } from '../support/transfers.ts'
import { hostileWorld } from '../support/hostile-world.ts'

const { home, service, tenant, listener, hostileWork, close } = await hostileWorld()
afterAll(close)

const TARGETS = [
  '127.0.0.1',
  '127.0.0.2',
  '127.1',
  '127.0.1',
  '127.255.255.254',
  '2130706433',
  '0x7f000001',
  '0x7f.0.0.1',
  '0x7f.1',
  '017700000001',
  '0177.0.0.1',
  '0177.0.0.01',
  '127.000.000.001',
  'localhost',
  'LOCALHOST',
  'localhost.',
  '0.0.0.0',
  '0',
  '0x0',
  '[::1]',
  '::1',
  '0:0:0:0:0:0:0:1',
  '::',
  '[::]',
  '::ffff:127.0.0.1',
  '[::ffff:127.0.0.1]',
  '::ffff:7f00:1',
  '::ffff:0:127.0.0.1',
  '::ffff:0:7f00:1',
  '0:0:0:0:ffff:0:7f00:0001',
  '::7f00:1',
  '64:ff9b::7f00:1',
  '64:ff9b:0:0:0:0:127.0.0.1',
  '64:ff9b:1::7f00:1',
  '2002:7f00:1::',
  'fe80::1',
  'fe80::1%lo',
  'ff02::1',
  '169.254.169.254',
  '169.254.170.2',
  '2852039166',
  '0xa9fea9fe',
  '::ffff:169.254.169.254',
  'fd00:ec2::254',
  '100.100.100.200',
  '168.63.129.16',
  '2001:0:7f00:1::1',
  'fec0::1',
  '192.0.0.192',
  'metadata.google.internal',
  '224.0.0.1',
  '255.255.255.255',
  'user@127.0.0.1',
  '127.0.0.1#example.com',
  'example.com@127.0.0.1',
]

/** Without the brackets that an address of IPv6 has in a URL. */
const bareOf = (host: string): string => host.replace(/^\[|\]$/g, '')
const bracketedOf = (host: string): string =>
  /^[0-9a-f:]*:[0-9a-f:.]*$/i.test(bareOf(host)) ? `[${bareOf(host)}]` : host
const transferOf = (more: Partial<Work>): Promise<unknown> => runWork(hostileWork(more))

/** Tries to reach a host by each connector. */
function triesOf(host: string): Record<string, () => Promise<unknown>> {
  const { port } = listener
  const database = { host, port, database: 'd', table: 't' }
  const endpoint = `http://${bracketedOf(host)}:${port}`
  const tries: Record<string, () => Promise<unknown>> = {
    postgres: () => transferOf({ sourceType: 'postgres', source: database }),
    mysql: () => transferOf({ sourceType: 'mysql', source: database }),
    s3: () =>
      transferOf({
        sourceType: 's3',
        source: { bucket: 'b', path: 'x.csv', format: 'csv', endpoint },
      }),
    'to s3': () => transferOf({ destination: { type: 's3', bucket: 'b', path: 'x', endpoint } }),
    'to hdfs': () => transferOf({ destination: { type: 'hdfs', host: bracketedOf(host), port, path: 'x' } }),
  }
  // A broker's name is host:port; what has more colons is refused as a declaration.
  if (!bareOf(host).includes(':')) tries.kafka = () => readTopicOf(`${host}:${port}`)
  return tries
}

function readTopicOf(broker: string): Promise<unknown> {
  const declaration = readFileSync('datasets/books.yaml', 'utf8').replace('localhost:9092', broker)
  return runZones(
    hostileWork({
      sourceType: 'kafka',
      destination: { type: 'zones' },
      source: { declaration },
      draft: true,
    }),
    {
      progress: () => undefined,
      signal: AbortSignal.timeout(5_000),
      now: () => 0,
      batch: async () => undefined,
    },
  )
}

async function expectRefused(host: string): Promise<void> {
  // What the system takes for an address is refused as one, before anything is tried: that nothing listens
  // there says nothing.
  const known = await lookup(host).then(
    () => true,
    () => false,
  )
  await Promise.all(
    Object.entries(triesOf(host)).map(async ([connector, go]) => {
      const error = await go().then(
        () => undefined,
        (reason: { code?: string }) => reason,
      )
      expect(error?.code, `${connector} ${host}: ${String(error)}`).toMatch(
        /^(address_denied|source_unreachable|store_unreachable|storage_failed|dataset_invalid|broker_unreachable|internal)$|INVALID_URL/,
      )
      if (known && ['postgres', 'mysql', 'kafka'].includes(connector))
        expect(error?.code, `${connector} ${host}: ${String(error)}`).toBe('address_denied')
    }),
  )
}

/** Makes an event, and delivers until each webhook of the tenant was tried. */
async function tryAllWebhooks(): Promise<void> {
  await service.call('POST', `/tenants/${tenant.id}/jobs`, {
    token: tenant.editor,
    body: {
      job_name: 'an event',
      source_type: 'files',
      source_config: { path: 'x', format: 'csv' },
      destination_config: { type: 'local', path: 'y' },
      resource_requirements: { cpu_cores: 1, memory_gb: 1, estimated_runtime_minutes: 1 },
    },
  })
  const deliveries = createDeliveries(service.context, (error) => expect(error).toBeUndefined())
  const untried = (): Promise<unknown[]> =>
    service.context.gate.service
      .selectFrom('webhooks')
      .select('url')
      .where('tenant_id', '=', tenant.id)
      .where('failures', '=', 0)
      .execute()
  for (let round = 0; round < 20 && (await untried()).length > 0; round += 1) await deliveries.round()
  expect(await untried()).toEqual([])
}

test(`${TARGETS.length} addresses that lead inside, by every connector: refused, and nothing arrives`, async () => {
  writeFileSync(join(home, 'in', 'a.csv'), 'id\n1\n')
  process.env.HEADRACE_EXECUTION = 'x'
  for (const host of TARGETS) {
    await expectRefused(host)
    await service.call('POST', `/tenants/${tenant.id}/webhooks`, {
      token: tenant.owner,
      body: { url: `http://${bracketedOf(host)}:${listener.port}/hook`, events: ['*'] },
    })
  }
  delete process.env.HEADRACE_EXECUTION
  await tryAllWebhooks()
  expect(listener.connections).toBe(0)
  // Allowed now, the same listener is reached: it was no accident that nothing arrived before.
  process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1'
  await expect(triesOf('127.0.0.1').postgres()).rejects.toMatchObject({ code: 'source_unreachable' })
  expect(listener.connections).toBeGreaterThan(0)
})

test('each source that connects is tried, of jobs and of datasets', async () => {
  // A folder is on this machine, and sftp is estimated but not read: as soon as it is, it needs a try.
  const without = ['files', 'sftp']
  const sources = [...SOURCE_TYPES, ...Object.keys((SOURCE as unknown as { properties: object }).properties)]
  const tried = Object.keys(triesOf('127.0.0.1'))
  expect(sources.filter((source) => !without.includes(source) && !tried.includes(source))).toEqual([])
  const sftp = { sourceType: 'sftp', source: { host: '127.0.0.1', port: listener.port } }
  await expect(transferOf(sftp)).rejects.toMatchObject({ code: 'not_supported' })
})

test.each([
  '8.8.8.8',
  '10.0.0.5',
  '192.168.1.1',
  '172.16.0.1',
  '2606:4700::1111',
  '2001:db8::1',
  'fc00::1',
  '::ffff:8.8.8.8',
  '64:ff9b::808:808',
  '2002:808:808::',
])('%s is an address like any other', (address) => {
  expect(deniedReason(address)).toBeUndefined()
})
