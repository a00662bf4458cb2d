/**
 * TLS to real servers: on by default, the right authority and the wrong one, another host's certificate, a
 * server without TLS.
 */
import { chmodSync, chownSync, statSync } from 'node:fs'
import pg from 'pg'
import { beforeAll, describe, expect, test } from 'vitest'
import { tlsOf } from '../../src/connectors/database-tls.ts'
import { readMysql } from '../../src/connectors/mysql/source.ts'
import { readPostgres } from '../../src/connectors/postgres/source.ts'
import type { DatabaseLogin } from '../../src/connectors/table-source.ts'
import { debianPostgres } from '../support/debian.ts'
import { createAuthority, type Authority } from '../support/certificates.ts'
import { startMariaDb } from '../support/mariadb.ts'
import { openFolder, ownPostgres } from '../support/service.ts'
import { runWork, workOf } from '../support/transfers.ts'
import type { MysqlConfig } from '../../src/connectors/mysql/config.ts'
import type { PostgresConfig } from '../../src/connectors/postgres/config.ts'
import { limitMs } from '../support/time-limits.ts'

const folder = openFolder('headrace-tls-')
const LOOPBACK = '127.0.0.1'
/** Reaches this machine too, and is no loopback address. */
const ANY = '0.0.0.0'

interface Server {
  /** Opens a read as a job would whose host has this address, and ends it. */
  read(
    config: { host: string; ssl?: string; ca?: string },
    options?: { address?: string; secret?: { ca?: string } },
  ): Promise<void>
  work: Parameters<typeof workOf>[1]
}

async function postgresServer(
  programs: string | undefined,
  certified: { key: string; certificate: string } | undefined,
): Promise<Server> {
  const server = await ownPostgres({ programs })
  const { port, username, password, pathname } = new URL(server.url)
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  await client.query('CREATE TABLE plain (id int); INSERT INTO plain VALUES (1)')
  if (certified !== undefined) {
    const { uid, gid } = statSync(server.folder)
    chownSync(certified.key, uid, gid)
    chmodSync(certified.key, 0o600)
    for (const [name, value] of [
      ['ssl_key_file', certified.key],
      ['ssl_cert_file', certified.certificate],
      ['ssl', 'on'],
    ])
      await client.query(`ALTER SYSTEM SET ${name} = '${value}'`)
    await client.query('SELECT pg_reload_conf()')
  }
  await client.end()
  const base = { port: Number(port), database: pathname.slice(1), table: 'plain' }
  return {
    async read(config, { address = LOOPBACK, secret } = {}) {
      await (
        await readPostgres(
          { ...base, ...config } as PostgresConfig,
          { username, password, ...secret } as DatabaseLogin,
          address,
          {},
        )
      ).close()
    },
    work: {
      sourceType: 'postgres',
      source: { host: LOOPBACK, ...base },
      sourceSecret: { username, password },
    },
  }
}

async function mariaServer(certified: { key: string; certificate: string } | undefined): Promise<Server> {
  const { port, login } = await startMariaDb(
    certified === undefined
      ? ['--skip-ssl']
      : [`--ssl-key=${certified.key}`, `--ssl-cert=${certified.certificate}`],
  )
  const base = { port, database: 'information_schema', table: 'TABLES', columns: ['TABLE_NAME'] }
  return {
    async read(config, { address = LOOPBACK, secret } = {}) {
      await (
        await readMysql({ ...base, ...config } as MysqlConfig, { ...login, ...secret }, address, {})
      ).close()
    },
    work: { sourceType: 'mysql', source: { host: LOOPBACK, ...base }, sourceSecret: { ...login } },
  }
}

let right: Authority
let wrong: Authority
const servers = new Map<string, { secure: Server; plain: Server }>()
const NAMES = ['PostgreSQL of the package', 'PostgreSQL 15', 'MariaDB']

beforeAll(async () => {
  process.env.HEADRACE_ALLOW_HOSTS = LOOPBACK
  right = createAuthority(folder, 'right')
  wrong = createAuthority(folder, 'wrong')
  const certified = (): { key: string; certificate: string } =>
    right.certify(['DNS:db.test', `IP:${LOOPBACK}`])
  for (const [name, programs] of [
    [NAMES[0], undefined],
    [NAMES[1], debianPostgres()],
  ] as const)
    servers.set(name, {
      secure: await postgresServer(programs, certified()),
      plain: await postgresServer(programs, undefined),
    })
  servers.set(NAMES[2], { secure: await mariaServer(certified()), plain: await mariaServer(undefined) })
}, limitMs(180_000))

describe.each(NAMES)('%s', (name) => {
  const secure = (): Server => servers.get(name)?.secure as Server
  const plain = (): Server => servers.get(name)?.plain as Server

  test('with the right authority, by name and by address, in the source or in the secret', async () => {
    await secure().read({ host: 'db.test', ssl: 'verify-full', ca: right.pem })
    await secure().read({ host: LOOPBACK, ssl: 'verify-full', ca: right.pem })
    await secure().read({ host: 'db.test', ca: right.pem }, { address: ANY })
    await secure().read({ host: 'db.test' }, { secret: { ca: wrong.pem + right.pem } })
  })

  test('another authority, one that nobody knows, and the certificate of another host are refused by name', async () => {
    const refused = { code: 'source_not_trusted', next: expect.stringContaining('Set ca to the PEM text') }
    await expect(secure().read({ host: 'db.test', ssl: 'verify-full', ca: wrong.pem })).rejects.toMatchObject(
      refused,
    )
    await expect(secure().read({ host: 'db.test', ssl: 'verify-full' })).rejects.toMatchObject(refused)
    await expect(secure().read({ host: 'db.test' }, { secret: { ca: wrong.pem } })).rejects.toMatchObject(
      refused,
    )
    for (const host of ['other.test', 'localhost', '127.0.0.2'])
      await expect(secure().read({ host, ssl: 'verify-full', ca: right.pem }), host).rejects.toMatchObject(
        refused,
      )
  })

  test('without a word, TLS is asked for, whoever answers; on this machine it is not', async () => {
    await secure().read({ host: 'db.test' }, { address: ANY })
    await secure().read({ host: 'db.test', ssl: 'require' })
    await plain().read({ host: 'db.test' })
    await plain().read({ host: 'db.test', ssl: 'disable' }, { address: ANY })
  })

  test('a server without TLS is refused, and told is what to set', async () => {
    const refused = { code: 'source_without_tls', next: expect.stringContaining('"ssl": "disable"') }
    await expect(plain().read({ host: 'db.test' }, { address: ANY })).rejects.toMatchObject(refused)
    await expect(plain().read({ host: 'db.test', ssl: 'require' })).rejects.toMatchObject(refused)
    await expect(plain().read({ host: 'db.test', ssl: 'verify-full', ca: right.pem })).rejects.toMatchObject(
      refused,
    )
  })

  test('a whole read, in parts on connections of their own, goes through TLS', async () => {
    const { work } = secure()
    const more = { ...work, source: { ...work.source, ssl: 'verify-full', ca: right.pem } }
    expect((await runWork(workOf(folder, more))).receipt.rows).toBeGreaterThan(0)
    await expect(
      runWork(workOf(folder, { ...work, source: { ...work.source, ssl: 'verify-full' } })),
    ).rejects.toMatchObject({ code: 'source_not_trusted' })
  })
})

test('which address is this machine, and what is no setting', () => {
  for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'])
    expect(tlsOf({ host: 'x' }, address, {}), address).toEqual({ mode: 'disable' })
  for (const address of ['10.0.0.1', '128.0.0.1', '::2', '::ffff:10.0.0.1', 'fe80::1'])
    expect(tlsOf({ host: '127.0.0.1' }, address, {}), address).toEqual({ mode: 'require' })
  expect(() => tlsOf({ host: 'x', ssl: 'prefer' as never }, LOOPBACK, {})).toThrow(
    /ssl as one of disable, require, verify-full/,
  )
  expect(() => tlsOf({ host: 'x', ca: '/etc/ssl/ca.pem' }, LOOPBACK, {})).toThrow(/not a path/)
})
