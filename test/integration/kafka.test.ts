/**
 * The Kafka connector against real brokers: aborted transactions, compressions, logins, TLS, topics that
 * change underneath.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Admin } from '@platformatic/kafka'
import { beforeAll, expect, test } from 'vitest'
import { sampled } from '../support/chance.ts'
import type { Broker } from '../../src/main/kafka-broker.ts'
import { java } from '../support/java.ts'
import { openLink } from '../support/link.ts'
import {
  PERFECT,
  broker,
  cli,
  cliJson,
  deltalake,
  killGroup,
  ownBroker,
  place,
  produce,
  sleep,
  startCli,
  until,
  verdict,
  type Place,
} from '../support/system.ts'

let kafka: Broker
let admin: Admin

beforeAll(async () => {
  kafka = await broker()
  admin = new Admin({ clientId: 'test', bootstrapBrokers: [kafka.address] })
  return () => admin.close()
})

const stream = (where: Place): Promise<Record<string, number>> =>
  cliJson(where, ['stream', where.declaration, '--until-caught-up'])
/** Faults of the link, and how long each lasts; the long suite takes five of 60 s. */
const SPELL_S = Number(process.env.HEADRACE_SPELL_S ?? 4)
const SPELLS = SPELL_S > 10 ? ['silence', 'cut', 'silence', 'cut', 'silence'] : ['silence', 'cut']
const noDedup = (yaml: string): string =>
  yaml.replace('message_id: { from: key }', 'message_id: { from: none }')

test('a Java producer that aborts 30 % of its transactions: no aborted record arrives, no committed one is missing', async () => {
  const where = place(kafka.address, noDedup)
  await admin.createTopics({ topics: [where.topic], partitions: 4, replicas: 1 })
  const [committed, aborted] = (
    await java('kafka', 'TransactionalProducer', [kafka.address, where.topic, 'lz4', '40', '50', '3'])
  )
    .split(' ')
    .map(Number)
  expect([committed, aborted]).toEqual([1_400, 600])
  await stream(where)
  const titles = await deltalake<Record<string, number>>(
    where.raw,
    "import collections\nprint(json.dumps(collections.Counter(t['title'].to_pylist())))",
  )
  expect(titles).toEqual({ committed: 1_400 })
  where.cleanUp()
})

test.each(sampled(['none', 'gzip', 'snappy', 'lz4', 'zstd'], 2))(
  'reads what a Java producer compressed with %s',
  async (codec) => {
    const where = place(kafka.address, noDedup)
    await admin.createTopics({ topics: [where.topic], partitions: 4, replicas: 1 })
    await java('kafka', 'TransactionalProducer', [kafka.address, where.topic, codec, '1', '500', '0'])
    expect(await stream(where)).toMatchObject({ accepted: 500, quarantined: 0 })
    where.cleanUp()
  },
)

test('a topic that was deleted and created again is noticed by its id, running or not; accepting it is explicit', async () => {
  const where = place(kafka.address)
  // No repeats: the window of the new topic does not know the old one's messages; the batch does.
  await produce(where, 500, ['--duplicates', '0'])
  await stream(where)
  const job = startCli(where, ['stream', where.declaration, '-o', 'json'])
  await until('the job', () => (job.errors().includes('Error') ? undefined : true))
  await admin.deleteTopics({ topics: [where.topic] })
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  await admin.createTopics({ topics: [where.topic], partitions: 4, replicas: 1 })
  expect(
    await Promise.race([
      job.ended,
      new Promise((resolve) => setTimeout(() => resolve('still running after 30 s'), 30_000)),
    ]),
  ).toBe(1)
  // Asked in the second between, the broker has no such topic; asked later, one with another id. Either stops
  // it by name.
  expect(job.errors()).toMatch(/topic_recreated|topic_not_found/)
  const again = await cli(where, ['stream', where.declaration, '--until-caught-up', '-o', 'json'])
  expect([again.code, JSON.parse(again.stderr).error.code]).toEqual([1, 'topic_recreated'])
  await produce(where, 300)
  await cliJson(where, ['offsets', 'set', where.declaration, '--new-topic'])
  await stream(where)
  expect(await verdict(where)).toMatchObject(PERFECT)
  where.cleanUp()
})

test('offsets that fell out of retention stop the job with the exact range; accepting the loss is explicit', async () => {
  const where = place(kafka.address)
  await produce(where, 400)
  await stream(where)
  await produce(where, 1_200)
  const info = await cliJson<{ partitions: { partition: number; next: number; end: number }[] }>(where, [
    'offsets',
    'show',
    where.declaration,
  ])
  const [first] = info.partitions
  const cut = first.next + 100
  await admin.deleteRecords({
    topics: [{ name: where.topic, partitions: [{ partition: first.partition, offset: BigInt(cut) }] }],
  } as never)
  const { code, stderr } = await cli(where, ['stream', where.declaration, '--until-caught-up', '-o', 'json'])
  expect(code).toBe(1)
  expect(JSON.parse(stderr).error).toMatchObject({
    code: 'offsets_expired',
    params: { partition: first.partition, next: first.next, first: cut, last: cut - 1, count: 100 },
  })
  await cliJson(where, [
    'offsets',
    'set',
    where.declaration,
    '--partition',
    String(first.partition),
    '--to-offset',
    String(cut),
  ])
  await stream(where)
  expect((await verdict(where)).doubled).toBe(0)
  where.cleanUp()
})

test('new partitions of a running topic are read from their beginning', async () => {
  const where = place(kafka.address)
  // No repeats: with more partitions a repeated key lands elsewhere, which the batch catches, not the window.
  await produce(where, 300, ['--duplicates', '0'])
  const job = startCli(where, ['stream', where.declaration])
  await admin.createPartitions({ topics: [{ name: where.topic, count: 8 }] } as never)
  await produce(where, 1_000)
  const read = await until('all partitions', async () => {
    const { partitions } = await cliJson<{ partitions: { lagRecords: number }[] }>(where, [
      'offsets',
      'show',
      where.declaration,
    ])
    return partitions.length === 8 && partitions.every((one) => one.lagRecords === 0)
      ? partitions.length
      : undefined
  })
  expect(read).toBe(8)
  killGroup(job, 'SIGTERM')
  await job.ended
  await stream(where)
  expect(await verdict(where)).toMatchObject(PERFECT)
  where.cleanUp()
})

test('a rewind reads again and doubles nothing; its dry run says how much', async () => {
  const where = place(kafka.address)
  await produce(where, 3_000)
  await stream(where)
  const dry = await cliJson<{ changes: { reread: number }[]; committed: boolean }>(where, [
    'offsets',
    'rewind',
    where.declaration,
    '--to-offset',
    '100',
    '--dry-run',
  ])
  expect(dry.committed).toBe(false)
  const again = dry.changes.reduce((sum, one) => sum + one.reread, 0)
  await produce(where, 500)
  await cliJson(where, ['offsets', 'rewind', where.declaration, '--to-offset', '100'])
  const summary = await stream(where)
  expect(summary.messages).toBe(again + 500)
  expect(await verdict(where)).toMatchObject(PERFECT)
  expect((await cli(where, ['offsets', 'rewind', where.declaration, '--to-offset', '99999999'])).code).toBe(2)
  where.cleanUp()
})

test('the broker dies and comes back: reading goes on by itself', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-broker-'))
  let own = await ownBroker({ folder, fresh: true })
  const port = Number(own.address.split(':')[1])
  const where = place(own.address)
  await produce(where, 2_000)
  const job = startCli(where, ['stream', where.declaration])
  await until('a commit', async () =>
    (await cli(where, ['tables', 'show', 'books/raw'])).code === 0 ? true : undefined,
  )
  await own.kill()
  await until('trouble said', () => (job.errors().includes('No Kafka broker answers') ? true : undefined))
  own = await ownBroker({ folder, port })
  await produce(where, 1_000)
  const started = Date.now()
  await until('lag of zero', async () => {
    const { partitions } = await cliJson<{ partitions: { lagRecords: number }[] }>(where, [
      'offsets',
      'show',
      where.declaration,
    ])
    return partitions.every((one) => one.lagRecords === 0) ? true : undefined
  })
  expect(Date.now() - started).toBeLessThan(30_000)
  killGroup(job, 'SIGTERM')
  await job.ended
  await stream(where)
  expect(await verdict(where)).toMatchObject(PERFECT)
  await own.kill()
  where.cleanUp()
})

test('a link that is slow, goes silent and is cut: nothing is lost or doubled, and reading goes on within 30 s', async () => {
  let broker: Broker | undefined
  const link = await openLink(() => Number(broker?.address.split(':')[1]))
  broker = await ownBroker({
    folder: mkdtempSync(join(tmpdir(), 'headrace-link-')),
    fresh: true,
    properties: [`#advertised=127.0.0.1:${link.port}`],
  })
  const where = place(`127.0.0.1:${link.port}`)
  await produce(where, 30_000)
  link.limit(300_000)
  const job = startCli(where, ['stream', where.declaration])
  const position = async (): Promise<number> => {
    const { code, stdout } = await cli(where, ['tables', 'show', 'books/raw', '-o', 'json'])
    return code === 0 ? (JSON.parse(stdout) as { rows: number }).rows : 0
  }
  const moved = async (): Promise<void> => {
    const [before, started] = [await position(), Date.now()]
    await until('more rows', async () => ((await position()) > before ? true : undefined))
    expect(Date.now() - started).toBeLessThan(30_000)
  }
  await moved()
  for (const spell of SPELLS) {
    if (spell === 'silence') link.silence(true)
    else for (let i = 0; i < SPELL_S * 2; i += 1) await sleep(500).then(link.cut)
    await sleep(SPELL_S * 1000)
    link.silence(false)
    await moved()
  }
  link.limit(Infinity)
  killGroup(job, 'SIGTERM')
  await job.ended
  await stream(where)
  expect(await verdict(where)).toMatchObject(PERFECT)
  await broker.stop()
  await link.close()
  where.cleanUp()
}, 900_000)

const JAAS = 'org.apache.kafka.common.security'

test.each([
  [
    'PLAIN',
    [
      `listener.name.sasl_plaintext.plain.sasl.jaas.config=${JAAS}.plain.PlainLoginModule required username="admin" password="secret" user_admin="secret" user_reader="pass";`,
    ],
  ],
  [
    'SCRAM-SHA-256',
    [
      '#scram=SCRAM-SHA-256=[name=reader,password=pass]',
      '#scram=SCRAM-SHA-256=[name=admin,password=secret]',
      `listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config=${JAAS}.scram.ScramLoginModule required username="admin" password="secret";`,
    ],
  ],
  [
    'SCRAM-SHA-512',
    [
      '#scram=SCRAM-SHA-512=[name=reader,password=pass]',
      '#scram=SCRAM-SHA-512=[name=admin,password=secret]',
      `listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=${JAAS}.scram.ScramLoginModule required username="admin" password="secret";`,
    ],
  ],
])('logs in with SASL %s, and a wrong password is said as such', async (mechanism, properties) => {
  const own = await ownBroker({
    folder: mkdtempSync(join(tmpdir(), 'headrace-sasl-')),
    fresh: true,
    properties: [
      '#listener=SASL_PLAINTEXT',
      `sasl.enabled.mechanisms=${mechanism}`,
      `sasl.mechanism.inter.broker.protocol=${mechanism}`,
      ...properties,
    ],
  })
  const passwords = mkdtempSync(join(tmpdir(), 'headrace-pass-'))
  writeFileSync(join(passwords, 'right'), 'pass\n')
  writeFileSync(join(passwords, 'wrong'), 'word\n')
  const sasl = (file: string) => (yaml: string) =>
    yaml.replace(
      '    start: earliest',
      `    start: earliest\n    sasl: { mechanism: ${mechanism}, username: reader, password_file: ${join(passwords, file)} }`,
    )
  const where = place(own.address, sasl('right'))
  await produce(where, 200)
  await stream(where)
  expect(await verdict(where)).toMatchObject(PERFECT)
  const refused = place(own.address, sasl('wrong'))
  expect(
    JSON.parse((await cli(refused, ['stream', refused.declaration, '-o', 'json'])).stderr).error.code,
  ).toBe('broker_auth_failed')
  await own.kill()
  where.cleanUp()
})

test('speaks TLS and checks the certificate', async () => {
  const keys = mkdtempSync(join(tmpdir(), 'headrace-tls-'))
  const store = join(keys, 'broker.p12')
  const keytool = (...args: string[]): void =>
    void execFileSync(
      'keytool',
      [...args, '-keystore', store, '-storetype', 'PKCS12', '-storepass', 'changeit'],
      { stdio: 'pipe' },
    )
  keytool(
    '-genkeypair',
    '-alias',
    'broker',
    '-keyalg',
    'EC',
    '-groupname',
    'secp256r1',
    '-dname',
    'CN=localhost',
    '-ext',
    'SAN=dns:localhost,ip:127.0.0.1',
    '-validity',
    '30',
  )
  keytool('-exportcert', '-rfc', '-alias', 'broker', '-file', join(keys, 'ca.pem'))
  const own = await ownBroker({
    folder: mkdtempSync(join(tmpdir(), 'headrace-ssl-')),
    fresh: true,
    properties: [
      '#listener=SSL',
      `ssl.keystore.location=${store}`,
      'ssl.keystore.type=PKCS12',
      'ssl.keystore.password=changeit',
      `ssl.truststore.location=${store}`,
      'ssl.truststore.type=PKCS12',
      'ssl.truststore.password=changeit',
    ],
  })
  const where = place(own.address, (yaml) =>
    yaml.replace('    start: earliest', `    start: earliest\n    tls: { ca: ${join(keys, 'ca.pem')} }`),
  )
  await produce(where, 200)
  await stream(where)
  expect(await verdict(where)).toMatchObject(PERFECT)
  const unknown = place(own.address, (yaml) =>
    yaml.replace('    start: earliest', '    start: earliest\n    tls: {}'),
  )
  expect(
    JSON.parse((await cli(unknown, ['stream', unknown.declaration, '-o', 'json'])).stderr).error.code,
  ).toBe('broker_auth_failed')
  const plain = place(own.address)
  expect(
    JSON.parse((await cli(plain, ['stream', plain.declaration, '-o', 'json'])).stderr).error.code,
  ).toMatch(/^broker_/)
  await own.kill()
  where.cleanUp()
})
