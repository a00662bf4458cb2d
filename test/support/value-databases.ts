/**
 * Servers whose values are read: two versions of PostgreSQL and MariaDB, each with a client that sees what
 * it says.
 */
import { afterAll, beforeAll } from 'vitest'
import pg from 'pg'
import type { Work } from '../../src/executions/work.ts'
import { connectTo, startMariaDb } from './mariadb.ts'
import { debianPostgres } from './debian.ts'
import { ownPostgres } from './service.ts'
import { workOf } from './transfers.ts'

export interface Database {
  /** Rows as the database writes them. */
  texts(query: string): Promise<(string | null)[][]>
  run(sql: string): Promise<void>
  work(source: Record<string, unknown>, more?: Partial<Work>): Work
  close(): Promise<void>
}

export const SERVERS = ['PostgreSQL of the package', 'PostgreSQL 15', 'MariaDB'] as const
export type ServerName = (typeof SERVERS)[number]

const OPEN: Record<ServerName, (home: string) => Promise<Database>> = {
  'PostgreSQL of the package': (home) => onPostgres(home, undefined),
  'PostgreSQL 15': (home) => onPostgres(home, debianPostgres()),
  MariaDB: onMariaDb,
}

export const isMaria = (name: ServerName): boolean => name === 'MariaDB'

/** All servers, from before the first test of a file until its last. */
export function openDatabases(home: string): (name: ServerName) => Promise<Database> {
  const databases = new Map<ServerName, Promise<Database>>()
  beforeAll(async () => {
    process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1'
    for (const name of SERVERS) databases.set(name, OPEN[name](home))
    await Promise.all(databases.values())
  }, 120_000)
  afterAll(async () => {
    for (const database of databases.values()) await (await database).close()
  })
  return (name) => databases.get(name) as Promise<Database>
}

const SETTINGS = `
  SET datestyle = 'ISO';
  SET intervalstyle = 'iso_8601';
  SET timezone = 'UTC';
  SET bytea_output = 'hex';
  SET extra_float_digits = 3
`

async function onPostgres(home: string, programs: string | undefined): Promise<Database> {
  const server = await ownPostgres({ programs })
  const { port, username, password, pathname } = new URL(server.url)
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  await client.query(SETTINGS)
  const source = { host: '127.0.0.1', port: Number(port), database: pathname.slice(1) }
  return {
    texts: async (text) =>
      (await client.query({ text, rowMode: 'array', types: { getTypeParser: () => String as never } }))
        .rows as (string | null)[][],
    run: async (sql) => void (await client.query(sql)),
    work: (more, work = {}) =>
      workOf(home, {
        sourceType: 'postgres',
        sourceSecret: { username, password },
        ...work,
        source: { ...source, ...more },
      }),
    close: async () => {
      await client.end()
      await server.kill()
    },
  }
}

async function onMariaDb(home: string): Promise<Database> {
  const server = await startMariaDb()
  const client = await connectTo(server, { multipleStatements: true, charset: 'utf8mb4' })
  await client.query("SET time_zone = '+00:00'")
  const source = { host: '127.0.0.1', port: server.port, database: 'shop' }
  const typeCast = (field: { type: string; string(encoding: string): string | null }): string | null =>
    field.string('utf8')
  return {
    texts: async (sql) =>
      (await client.query({ sql, rowsAsArray: true, typeCast: typeCast as never }))[0] as unknown as (
        | string
        | null
      )[][],
    run: async (sql) => void (await client.query(sql)),
    work: (more, work = {}) =>
      workOf(home, {
        sourceType: 'mysql',
        sourceSecret: { ...server.login },
        ...work,
        source: { ...source, ...more },
      }),
    close: () => client.end(),
  }
}
