/** Tables of PostgreSQL and of MariaDB as what the jobs of a walk read. */
import mysql from 'mysql2/promise'
import pg from 'pg'
import type { MariaDb } from './mariadb.ts'
import { TABLES, type Choice, type WalkSource } from './walk-sources.ts'

const COLUMNS = ['id', 'changed_at', 'text']
const CURSORS = ['id', 'changed_at']

const identity = ({ place, cursor }: Choice): string => `${place} by ${cursor}`

interface Login {
  host: string
  port: number
  database: string
}

/** What a job says that is the same for both. */
const configOf = (login: Login, table: string, { cursor, narrow }: Choice): Record<string, unknown> => ({
  ...login,
  table,
  cursor,
  credentials_secret: 'source',
  ...(narrow ? { columns: COLUMNS } : {}),
})

/** `schema`: of this walk alone. */
export async function postgresSource(url: string, schema: string): Promise<WalkSource> {
  const { port, pathname, username, password } = new URL(url)
  const login = { host: '127.0.0.1', port: Number(port), database: pathname.slice(1) }
  const open: pg.Client[] = []
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: url })
    open.push(client)
    await client.connect()
    return client
  }
  const client = await connect()
  await client.query(`CREATE SCHEMA ${schema}`)
  for (const table of TABLES)
    await client.query(`CREATE TABLE ${schema}.${table} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      changed_at timestamptz NOT NULL DEFAULT clock_timestamp(), text text NOT NULL, other int)`)
  const insert = (place: string): string => `INSERT INTO ${schema}.${place} (text) SELECT unnest($1::text[])`
  return {
    type: 'postgres',
    secret: { username, password },
    places: TABLES,
    cursors: CURSORS,
    identity,
    config: (choice) => configOf(login, `${schema}.${choice.place}`, choice),
    insert: async (place, texts) => void (await client.query(insert(place), [texts])),
    async update(place, text, chance) {
      const { rows } = await client.query<{ id: string }>(`SELECT id FROM ${schema}.${place} ORDER BY id`)
      for (const { id } of rows.filter(() => chance() < 0.2)) {
        const set = chance() < 0.5 ? ', changed_at = clock_timestamp()' : ''
        await client.query(`UPDATE ${schema}.${place} SET text = $1${set} WHERE id = $2`, [text(), id])
      }
    },
    async late(place, texts) {
      const own = await connect()
      await own.query('BEGIN')
      await own.query(insert(place), [texts])
      return async (how) => {
        await own.query(how)
        await own.end()
      }
    },
    async texts({ place }) {
      const { rows } = await client.query<{ text: string }>(`SELECT text FROM ${schema}.${place}`)
      return rows.map((row) => row.text)
    },
    close: async () =>
      void (await Promise.all(open.map((connection) => connection.end().catch(() => undefined)))),
  }
}

/** `prefix`: of the tables of this walk. */
export async function mysqlSource(
  { port, login: { username, password } }: MariaDb,
  prefix: string,
): Promise<WalkSource> {
  const login = { host: '127.0.0.1', port, database: 'shop' }
  const open: mysql.Connection[] = []
  const connect = async (): Promise<mysql.Connection> => {
    const made = await mysql.createConnection({ ...login, user: username, password })
    open.push(made)
    return made
  }
  const client = await connect()
  for (const table of TABLES)
    await client.query(`CREATE TABLE ${prefix}_${table} (id bigint AUTO_INCREMENT PRIMARY KEY,
      changed_at datetime(6) NOT NULL DEFAULT (sysdate(6)), text varchar(40) NOT NULL, other int)`)
  const insert = async (on: mysql.Connection, place: string, texts: string[]): Promise<void> => {
    for (const text of texts) await on.query(`INSERT INTO ${prefix}_${place} (text) VALUES (?)`, [text])
  }
  // A change below a cursor of numbers is none that a read could see.
  const changed = new Set<string>()
  return {
    type: 'mysql',
    secret: { username, password },
    places: TABLES,
    cursors: CURSORS,
    identity,
    config: (choice) => configOf(login, `${prefix}_${choice.place}`, choice),
    insert: (place, texts) => insert(client, place, texts),
    async update(place, text, chance) {
      const [rows] = await client.query<mysql.RowDataPacket[]>(
        `SELECT id FROM ${prefix}_${place} ORDER BY id`,
      )
      for (const { id } of rows.filter(() => chance() < 0.2)) {
        const next = text()
        changed.add(next)
        const set = 'SET text = ?, changed_at = sysdate(6)'
        await client.query(`UPDATE ${prefix}_${place} ${set} WHERE id = ?`, [next, id])
      }
    },
    async late(place, texts) {
      const own = await connect()
      await own.query('BEGIN')
      await insert(own, place, texts)
      return async (how) => {
        await own.query(how)
        await own.end()
      }
    },
    async texts({ place, cursor }) {
      const [rows] = await client.query<mysql.RowDataPacket[]>(`SELECT text FROM ${prefix}_${place}`)
      const all = rows.map((row) => row.text as string)
      return cursor === 'id' ? all.filter((text) => !changed.has(text)) : all
    },
    close: async () => open.forEach((connection) => connection.destroy()),
  }
}
