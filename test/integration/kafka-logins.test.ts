/** Logins at real brokers, by SASL and over TLS: right ones, and wrong ones by name. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sampled } from '../support/chance.ts'
import { catchUp, PERFECT, cli, ownBroker, place, produce, verdict } from '../support/system.ts'

const JAAS = 'org.apache.kafka.common.security'

const MECHANISMS: [string, string[]][] = [
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
]

test.each(sampled(MECHANISMS, 1))(
  'logs in with SASL %s, and a wrong password is said as such',
  async (mechanism, properties) => {
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
    await catchUp(where)
    expect(await verdict(where)).toMatchObject(PERFECT)
    const refused = place(own.address, sasl('wrong'))
    expect(
      JSON.parse((await cli(refused, ['stream', refused.declaration, '-o', 'json'])).stderr).error.code,
    ).toBe('broker_auth_failed')
    await own.kill()
    where.cleanUp()
  },
)

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
  await catchUp(where)
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
