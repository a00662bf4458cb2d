/** Databases as sources: a server with a client of its own, and executions that read from it. */
import type { Connection } from 'mysql2/promise'
import pg from 'pg'
import type { Work } from '../../src/executions/work.ts'
import { openLink, type Link } from './link.ts'
import { connectTo, startMariaDb, type MariaDb } from './mariadb.ts'
import { postgres, run } from './service.ts'
import { workOf } from './transfers.ts'

/** An execution of its own; `source`: what it reads and how. */
type WorkOn = (source: Record<string, unknown>, more?: Partial<Work>) => Work

export interface PostgresSource {
  url: URL
  client: pg.Client
  /** Another way to the server, which can be slow and cut: by its port. */
  link: Link
  work: WorkOn
  close(): Promise<void>
}

export interface MariaSource {
  server: MariaDb
  client: Connection
  work: WorkOn
  close(): Promise<void>
}

/** A database of that name on the shared server; `usual`: settings of each source. */
export async function postgresSource(
  home: string,
  name: string,
  usual: Record<string, unknown> = {},
): Promise<PostgresSource> {
  const server = await postgres()
  await run(server.url, `CREATE DATABASE ${name}_${process.pid}`)
  const url = new URL(server.url.replace(/\/[^/]*$/, `/${name}_${process.pid}`))
  const client = new pg.Client({ connectionString: url.href })
  await client.connect()
  const link = await openLink(() => Number(url.port))
  process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1'
  const place = { host: '127.0.0.1', port: Number(url.port), database: url.pathname.slice(1) }
  return {
    url,
    client,
    link,
    work: (source, more = {}) =>
      workOf(home, {
        sourceType: 'postgres',
        sourceSecret: { username: url.username, password: url.password },
        ...more,
        source: { ...place, ...usual, ...source },
      }),
    async close() {
      await client.end()
      await link.close()
    },
  }
}

/** A MariaDB of its own. */
export async function mariaSource(home: string, usual: Record<string, unknown> = {}): Promise<MariaSource> {
  const server = await startMariaDb()
  const client = await connectTo(server, { multipleStatements: true })
  process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1'
  const place = { host: '127.0.0.1', port: server.port, database: 'shop' }
  return {
    server,
    client,
    work: (source, more = {}) =>
      workOf(home, {
        sourceType: 'mysql',
        sourceSecret: { ...server.login },
        ...more,
        source: { ...place, ...usual, ...source },
      }),
    close: () => client.end(),
  }
}
