/**
 * What a tenant may try: addresses that lead inside, expressions in every name, statements that leave the
 * engine, and a search for other people's secrets in all that the service writes and shows.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { lookup } from 'node:dns/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lockDown, openSession } from '../../src/engines/duckdb/session.ts'
import { deniedReason } from '../../src/main/service/egress.ts'
import { startRunner } from '../../src/main/service/runner.ts'
import { startScheduler, type Loop } from '../../src/main/service/scheduler.ts'
import { runZones } from '../../src/main/service/zone-job.ts'
import { createDeliveries } from '../../src/main/service/webhooks.ts'
import type { Work } from '../../src/main/service/work.ts'
import { dumpOf, openFolder, purchase, testService, type TestService } from '../support/service.ts'
import { until } from '../support/system.ts'
import { runWork, workOf } from '../support/transfers.ts'

const home = openFolder('headrace-hostile-')
mkdirSync(join(home, 'in'), { recursive: true })
let listener: Server
let port: number
let connections = 0
let service: TestService
let tenant: Awaited<ReturnType<TestService['tenant']>>
let loops: Loop[] = []
const shown: string[] = []

beforeAll(async () => {
  listener = createServer((socket) => {
    connections += 1
    socket.destroy()
  })
  await new Promise<void>((done) => listener.listen(0, '::', done))
  port = (listener.address() as { port: number }).port
  delete process.env.HEADRACE_ALLOW_HOSTS
  service = await testService()
  tenant = await service.tenant('acme')
  const log = (event: unknown): void => void shown.push(JSON.stringify(event))
  loops = [startScheduler(service.context, log), startRunner(service.context, log)]
})

afterAll(async () => {
  for (const loop of loops.toReversed()) await loop.stop()
  listener.close()
  await service.close()
})

const hostileWork = (more: Partial<Work>): Work =>
  workOf(home, {
    source: { path: 'in/a.csv', format: 'csv' },
    sourceSecret: { username: 'u', password: 'p', access_key_id: 'a', secret_access_key: 's' },
    destinationSecret: { access_key_id: 'a', secret_access_key: 's', username: 'u' },
    ...more,
  })
const transferOf = (more: Partial<Work>): Promise<unknown> => runWork(hostileWork(more))

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

test(`${TARGETS.length} addresses that lead inside, by every connector: refused, and nothing arrives`, async () => {
  writeFileSync(join(home, 'in', 'a.csv'), 'id\n1\n')
  const declaration = (broker: string): string =>
    readFileSync('datasets/books.yaml', 'utf8').replace('localhost:9092', broker)
  for (const host of TARGETS) {
    const bare = host.replace(/^\[|\]$/g, '')
    const bracketed = /^[0-9a-f:]*:[0-9a-f:.]*$/i.test(bare) ? `[${bare}]` : host
    const tries: Record<string, () => Promise<unknown>> = {
      postgres: () =>
        transferOf({ sourceType: 'postgres', source: { host, port, database: 'd', table: 't' } }),
      mysql: () => transferOf({ sourceType: 'mysql', source: { host, port, database: 'd', table: 't' } }),
      s3: () =>
        transferOf({
          sourceType: 's3',
          source: { bucket: 'b', path: 'x.csv', format: 'csv', endpoint: `http://${bracketed}:${port}` },
        }),
      'to s3': () =>
        transferOf({
          destination: { type: 's3', bucket: 'b', path: 'x', endpoint: `http://${bracketed}:${port}` },
        }),
      'to hdfs': () => transferOf({ destination: { type: 'hdfs', host: bracketed, port, path: 'x' } }),
    }
    // A broker's name is host:port; what has more colons is refused as a declaration.
    process.env.HEADRACE_EXECUTION = 'x'
    if (!bare.includes(':'))
      tries.kafka = () =>
        runZones(
          hostileWork({
            sourceType: 'kafka',
            destination: { type: 'zones' },
            source: { declaration: declaration(`${host}:${port}`) },
            draft: true,
          }),
          {
            progress: () => undefined,
            signal: AbortSignal.timeout(5_000),
            now: () => 0,
            batch: async () => undefined,
          },
        )
    // What the system takes for an address is refused as one, before anything is tried: that nothing listens
    // there says nothing.
    const known = await lookup(host).then(
      () => true,
      () => false,
    )
    await Promise.all(
      Object.entries(tries).map(async ([connector, go]) => {
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
    await service.call('POST', `/tenants/${tenant.id}/webhooks`, {
      token: tenant.owner,
      body: { url: `http://${bracketed}:${port}/hook`, events: ['*'] },
    })
  }
  delete process.env.HEADRACE_EXECUTION
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
  expect(connections).toBe(0)
}, 120_000)

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

const EXPRESSIONS = [
  '${7*7}',
  '{{7*7}}',
  '<%= 7*7 %>',
  '#{7*7}',
  '{{ "".constructor.constructor("return process")().env }}',
  '${process.env.HOME}',
  '$(id)',
  '`id`',
  "{{ config.__class__.__init__.__globals__['os'].popen('id').read() }}",
  '%{7*7}',
  '{% debug %}',
  "${T(java.lang.Runtime).getRuntime().exec('id')}",
  '={{ $env.PATH }}',
  '__proto__',
  'constructor',
]

test.each(EXPRESSIONS)('%s stays what it is, in every text that a tenant may write', async (text) => {
  const made = await service.call<{ job_name: string; source_config: { note: string } }>(
    'POST',
    `/tenants/${tenant.id}/jobs`,
    {
      token: tenant.editor,
      body: {
        job_name: text,
        source_type: 'files',
        source_config: { path: text, format: 'csv', note: text },
        destination_config: { type: 'local', path: text },
        resource_requirements: { cpu_cores: 1, memory_gb: 1, estimated_runtime_minutes: 1 },
      },
    },
  )
  expect(made.body).toMatchObject({ job_name: text, source_config: { path: text, note: text } })
  const file = `in/${text.replaceAll('/', '_')}.csv`
  writeFileSync(join(home, file), `"${text.replaceAll('"', '""')}",n\nx,1\n`)
  const { receipt } = await runWork(
    hostileWork({
      source: {
        path: file.replace(/([*?[\]{}()!])/g, '[$1]').replace(/^.*$/, 'in/*.csv'),
        format: 'csv',
        columns: [{ name: text, type: 'VARCHAR' }],
        mode: 'full',
      },
    }),
  ).catch((error: Error) => ({ receipt: { output: [] as string[], said: error.message } }))
  expect(JSON.stringify(receipt)).not.toMatch(/\b49\b|uid=|\/root|node_modules/)
})

const ESCAPES = [
  "SELECT * FROM read_text('/etc/passwd')",
  "SELECT * FROM read_blob('/etc/passwd')",
  "SELECT * FROM read_csv('/etc/passwd')",
  "SELECT * FROM read_csv('FOLDER/../../../etc/passwd')",
  "SELECT * FROM read_json('/proc/self/environ')",
  "SELECT * FROM read_parquet('/tmp/*')",
  "SELECT * FROM '/etc/passwd'",
  "SELECT * FROM glob('/etc/*')",
  "COPY (SELECT 1) TO '/tmp/headrace-escape.csv'",
  "ATTACH '/tmp/headrace-escape.db'",
  "ATTACH ':memory:' AS m; COPY (SELECT 1) TO '/tmp/headrace-escape.csv'",
  "EXPORT DATABASE '/tmp/headrace-escape'",
  "IMPORT DATABASE '/tmp/headrace-escape'",
  'INSTALL httpfs',
  'LOAD httpfs',
  "LOAD '/tmp/x.duckdb_extension'",
  "INSTALL x FROM 'http://127.0.0.1'",
  "SELECT * FROM read_csv('http://127.0.0.1/x')",
  "SELECT * FROM read_csv('s3://b/x')",
  'SET enable_external_access = true',
  'SET lock_configuration = false',
  "SET allowed_directories = ['/']",
  "SET temp_directory = '/etc'",
  "SET memory_limit = '100GB'",
  'SET threads = 64',
  "SET extension_directory = '/tmp'",
  'SET allow_unsigned_extensions = true',
  'RESET enable_external_access',
  'RESET allowed_directories',
  'RESET ALL',
  'PRAGMA enable_external_access = true',
  "PRAGMA temp_directory = '/etc'",
  "SET GLOBAL memory_limit = '100GB'",
  "SET SESSION allowed_paths = ['/etc/passwd']",
  "SET log_query_path = '/tmp/headrace-escape.log'",
  "PRAGMA profile_output = '/tmp/headrace-escape.json'",
  "SELECT getenv('HOME')",
  "CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
  'CREATE PERSISTENT SECRET s (TYPE http)',
  "SELECT * FROM sniff_csv('/etc/passwd')",
  "SELECT * FROM parquet_metadata('/etc/passwd')",
  "SELECT * FROM read_ndjson_objects('/proc/self/cmdline')",
  "COPY t FROM '/etc/passwd'",
  "CREATE TABLE t AS FROM read_text('/etc/hostname')",
  "SELECT content FROM read_text('/proc/self/environ')",
  "SELECT * FROM read_text(['/etc/passwd'])",
  "FROM read_text('//etc/passwd')",
  "FROM read_text('file:///etc/passwd')",
  "FROM read_text('FOLDER/link')",
]

test(`${ESCAPES.length} statements that try to leave a session that is locked down: nothing is read, written or set`, async () => {
  const folder = join(home, 'locked')
  mkdirSync(folder, { recursive: true })
  execFileSync('ln', ['-sf', '/etc/passwd', join(folder, 'link')])
  for (const statement of ESCAPES) {
    const session = await openSession({
      memoryBytes: 256 << 20,
      threads: 1,
      spillFolder: join(home, 'spill'),
    })
    await lockDown(session, [folder])
    const rows = await session.rows(statement.replaceAll('FOLDER', folder)).catch(() => [])
    expect(JSON.stringify(rows), statement).not.toMatch(/root:|PATH=|\/root|node/)
    expect(
      readdirSync('/tmp').filter((name) => name.startsWith('headrace-escape')),
      statement,
    ).toEqual([])
    const [[access, locked]] = await session.rows(
      "SELECT current_setting('enable_external_access'), current_setting('lock_configuration')",
    )
    expect([String(access), String(locked)], statement).toEqual(['false', 'true'])
    await session.close()
  }
})

test('40 secrets that are used and fail: in no answer, log, event, row, file, argument or environment', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1'
  const canary = (i: number): string => `CaNaRy-${String(i).padStart(2, '0')}-x7Qz`
  await service.call('POST', `/tenants/${tenant.id}/purchases`, {
    token: tenant.owner,
    body: purchase('vcpu_hours', 10),
  })
  const config = { host: '127.0.0.1', port, database: 'd', table: 't' }
  const sources: [string, object][] = [
    ['postgres', config],
    ['mysql', config],
    ['s3', { bucket: 'b', path: 'x.csv', format: 'csv', endpoint: `http://127.0.0.1:${port}` }],
    [
      'kafka',
      {
        declaration: readFileSync('datasets/books.yaml', 'utf8')
          .replace('localhost:9092', `127.0.0.1:${port}`)
          .replace(
            'start: earliest',
            'start: earliest\n    sasl: { mechanism: PLAIN, username: me, password_file: none }',
          ),
      },
    ],
  ]
  const ids: string[] = []
  for (let i = 0; i < 40; i += 4) {
    const name = `secret-${i}`
    expect(
      (
        await service.call('PUT', `/tenants/${tenant.id}/secrets/${name}`, {
          token: tenant.editor,
          body: {
            value: {
              username: canary(i),
              password: canary(i + 1),
              access_key_id: canary(i + 2),
              secret_access_key: canary(i + 3),
            },
          },
        })
      ).status,
    ).toBe(204)
    const [type, source] = sources[(i / 4) % sources.length]
    const job = await service.call<{ job_id: string }>('POST', `/tenants/${tenant.id}/jobs`, {
      token: tenant.editor,
      body: {
        job_name: name,
        source_type: type,
        source_config: { ...source, credentials_secret: name },
        destination_config: type === 'kafka' ? { type: 'zones' } : { type: 'local', path: 'out' },
        resource_requirements: { cpu_cores: 1, memory_gb: 1, estimated_runtime_minutes: 1 },
      },
    })
    ids.push(
      (
        await service.call<{ execution_id: string }>(
          'POST',
          `/tenants/${tenant.id}/jobs/${job.body.job_id}/run`,
          { token: tenant.editor },
        )
      ).body.execution_id,
    )
  }
  const seen: string[] = []
  const look = setInterval(
    () =>
      seen.push(
        ...readdirSync('/proc')
          .filter((name) => /^\d+$/.test(name))
          .flatMap((pid) =>
            ['cmdline', 'environ']
              .map((file) => textOf(`/proc/${pid}/${file}`))
              .filter((text) => text.includes('CaNaRy')),
          ),
      ),
    20,
  )
  for (const id of ids)
    await until(
      `the first end of ${id}`,
      async () => {
        const { body } = await service.call<{ attempt: number; status: string }>(
          'GET',
          `/tenants/${tenant.id}/executions/${id}`,
          { token: tenant.viewer },
        )
        return body.attempt > 1 || !['scheduled', 'booked', 'running'].includes(body.status)
          ? true
          : undefined
      },
      60_000,
    )
  clearInterval(look)
  expect(seen).toEqual([])
  for (const path of [
    'jobs',
    'executions',
    'events?limit=500',
    'secrets',
    'webhooks',
    'ledger',
    ...ids.flatMap((id) => [`executions/${id}`, `executions/${id}/log`, `executions/${id}/why`]),
  ])
    shown.push(
      JSON.stringify(
        (await service.call('GET', `/tenants/${tenant.id}/${path}`, { token: tenant.owner })).body,
      ),
    )
  shown.push(
    String((await service.call('GET', '/metrics')).body),
    JSON.stringify((await service.call('GET', '/events?limit=500')).body),
    JSON.stringify(
      (await service.call('GET', `/tenants/${tenant.id}/secrets/secret-0`, { token: tenant.owner })).body,
    ),
  )
  expect(shown.filter((text) => text.includes('CaNaRy'))).toEqual([])
  expect(shown.join('').length).toBeGreaterThan(10_000)
  // Allowed now, the same listener was reached: it was no accident that nothing arrived before.
  expect(connections).toBeGreaterThan(0)
  expect(await dumpOf(service.url)).not.toContain('CaNaRy')
  const files = spawnSync('grep', ['-rl', 'CaNaRy', service.context.home], { encoding: 'utf8' }).stdout.trim()
  expect(files).toBe('')
}, 120_000)

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
