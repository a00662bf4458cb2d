/**
 * Tables with every type and its extreme values, read by others than us, and values that no file can hold,
 * each as its source says.
 */
import mysql, { type Connection } from 'mysql2/promise'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Outcome, Work } from '../../src/main/service/work.ts'
import {
  differences,
  MARIADB,
  POSTGRES,
  POSTGRES_TYPES,
  rowsOfCases,
  type Asked,
  type TypeCase,
} from '../support/database-values.ts'
import { debianPostgres } from '../support/debian.ts'
import { startMariaDb, type MariaDb } from '../support/mariadb.ts'
import { openFolder, ownPostgres } from '../support/service.ts'
import { testSpark } from '../support/spark.ts'
import { rowsOf, runWork, workOf } from '../support/transfers.ts'

const home = openFolder('headrace-values-')

interface Database {
  /** Rows as the database writes them. */
  texts(query: string): Promise<(string | null)[][]>
  run(sql: string): Promise<void>
  work(source: Record<string, unknown>, more?: Partial<Work>): Work
  close(): Promise<void>
}

const SETTINGS =
  "SET datestyle = 'ISO'; SET intervalstyle = 'iso_8601'; SET timezone = 'UTC'; SET bytea_output = 'hex'; SET extra_float_digits = 3"

async function onPostgres(programs: string | undefined): Promise<Database> {
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

async function onMariaDb(): Promise<Database> {
  const server: MariaDb = await startMariaDb()
  const client: Connection = await mysql.createConnection({
    host: '127.0.0.1',
    port: server.port,
    user: server.login.username,
    password: server.login.password,
    database: 'shop',
    multipleStatements: true,
    charset: 'utf8mb4',
  })
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

const databases = new Map<string, Promise<Database>>()
const SERVERS: [string, () => Promise<Database>][] = [
  ['PostgreSQL of the package', () => onPostgres(undefined)],
  ['PostgreSQL 15', () => onPostgres(debianPostgres())],
  ['MariaDB', onMariaDb],
]
const on = (name: string): Promise<Database> => databases.get(name) as Promise<Database>

beforeAll(async () => {
  process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1'
  for (const [name, open] of SERVERS) databases.set(name, open())
  await Promise.all(databases.values())
}, 120_000)
afterAll(async () => {
  for (const database of databases.values()) await (await database).close()
})

const isMaria = (name: string): boolean => name === 'MariaDB'
const tables = new Map<string, Promise<{ outcome: Outcome; asked: Asked[] }>>()

/** The table of every type, read into a file; once for each database. */
function everyType(name: string): Promise<{ outcome: Outcome; asked: Asked[] }> {
  const made = tables.get(name) ?? makeEveryType(name)
  tables.set(name, made)
  return made
}

async function makeEveryType(name: string): Promise<{ outcome: Outcome; asked: Asked[] }> {
  const database = await on(name)
  const cases: TypeCase[] = isMaria(name) ? MARIADB : POSTGRES
  if (!isMaria(name)) await database.run(POSTGRES_TYPES)
  await database.run(
    `CREATE TABLE every_type (id int PRIMARY KEY, ${cases.map(({ type }, i) => `c${i} ${type}`).join(', ')})`,
  )
  await database.run(
    `INSERT INTO every_type VALUES ${rowsOfCases(cases)
      .map((row) => `(${row.join(', ')})`)
      .join(', ')}`,
  )
  // A FLOAT of MariaDB is text of six digits; bytes are told as what they are.
  const told = ({ type, kind }: TypeCase, i: number): string =>
    !isMaria(name)
      ? `c${i}`
      : type.startsWith('bit')
        ? `LPAD(lower(hex(c${i})), ${Math.ceil(Number(/\d+/.exec(type)) / 8) * 2}, '0')`
        : kind === 'bytes'
          ? `lower(hex(c${i}))`
          : type === 'float'
            ? `CAST(c${i} AS DOUBLE)`
            : kind === 'timestamptz'
              ? `CONCAT(c${i}, '+00:00')`
              : `c${i}`
  const texts = await database.texts(`SELECT id, ${cases.map(told).join(', ')} FROM every_type ORDER BY id`)
  const asked = ['id', ...cases.map((_, i) => `c${i}`)].map((column, i): Asked => [
    column,
    i === 0 ? 'integer' : cases[i - 1].kind,
    texts.map((row) => row[i]),
  ])
  return { outcome: await runWork(database.work({ table: 'every_type' })), asked }
}

describe.each(SERVERS.map(([name]) => name))('%s', (name) => {
  test.each(['pyarrow', 'polars'] as const)(
    'every type with its extreme values, as %s reads it, is what the database says',
    async (reader) => {
      const { outcome, asked } = await everyType(name)
      expect(outcome.receipt).toMatchObject({ rejected: 0, rows: asked[0][2].length })
      expect(await differences(reader, outcome.receipt.output[0], asked)).toEqual([])
    },
  )
})

/**
 * Values that no file can hold, one in each row between good ones; which column has it, what it is a value
 * of.
 */
interface Odd {
  column: string
  sql: string
  rule: string
}

const [DAY, MOMENT] = ["'2026-02-28'", "'2026-02-28 12:00:00'"]
const odd = (column: string, rule: string, ...values: string[]): Odd[] =>
  values.map((sql) => ({ column, sql, rule }))
const ODD_POSTGRES = [
  ...odd('n', 'type.decimal', "'NaN'"),
  ...odd('small', 'type.decimal', "'NaN'"),
  ...odd('r', 'type.double', "'NaN'", "'Infinity'", "'-Infinity'"),
  ...odd('f', 'type.double', "'NaN'", "'Infinity'", "'-Infinity'"),
  ...odd(
    'd',
    'type.date',
    "'infinity'",
    "'-infinity'",
    "'0001-12-31 BC'",
    "'4713-01-01 BC'",
    "'10000-01-01'",
    "'5874897-12-31'",
  ),
  ...odd(
    'ts',
    'type.timestamp',
    "'infinity'",
    "'-infinity'",
    "'0001-12-31 23:59:59.999999 BC'",
    "'10000-01-01'",
    "'294276-12-31 23:59:59.999999'",
  ),
  ...odd(
    'tz',
    'type.timestamp',
    "'infinity'",
    "'-infinity'",
    "'0001-01-01 00:00:00+01'",
    "'9999-12-31 23:59:59-01'",
  ),
  ...odd('birth', 'type.date', "'infinity'"),
]
const COLUMNS_POSTGRES =
  "id int PRIMARY KEY, n numeric(10,2) DEFAULT 1.5, small numeric(2,5) DEFAULT 0.00012, r real DEFAULT 0.5, f float8 DEFAULT 0.5, d date DEFAULT DATE '2026-02-28', ts timestamp DEFAULT '2026-02-28 12:00:00', tz timestamptz DEFAULT '2026-02-28 12:00:00+00', birth birthday DEFAULT DATE '2026-02-28', word text DEFAULT E'a\"\\n,b', pad char(3) DEFAULT 'x'"
const ODD_MARIADB = [
  ...odd(
    'd',
    'type.date',
    "'0000-00-00'",
    "'2026-00-10'",
    "'2026-02-00'",
    "'2026-02-31'",
    "'2025-02-29'",
    "'0000-01-01'",
    "'2026-04-31'",
  ),
  ...odd('ts', 'type.timestamp', "'0000-00-00 00:00:00'", "'2026-00-10 01:02:03'", "'2026-02-30 01:02:03'"),
  ...odd('tz', 'type.timestamp', "'0000-00-00 00:00:00'"),
]
const COLUMNS_MARIADB = `id int PRIMARY KEY, d date DEFAULT ${DAY}, ts datetime(3) DEFAULT ${MOMENT}, tz timestamp NULL DEFAULT ${MOMENT}, word text DEFAULT 'a"\\n,b', pad char(3) DEFAULT 'x'`

const oddTables = new Set<string>()
/** Odd rows have odd numbers. */
async function withOddValues(name: string): Promise<{ database: Database; odds: Odd[]; ids: string[] }> {
  const database = await on(name)
  const odds = isMaria(name) ? ODD_MARIADB : ODD_POSTGRES
  if (!oddTables.has(name)) {
    oddTables.add(name)
    await everyType(name)
    if (isMaria(name)) await database.run("SET sql_mode = 'ALLOW_INVALID_DATES'")
    await database.run(`CREATE TABLE odd (${isMaria(name) ? COLUMNS_MARIADB : COLUMNS_POSTGRES})`)
    for (const [i, { column, sql }] of odds.entries())
      await database.run(
        `INSERT INTO odd (id) VALUES (${i * 2}); INSERT INTO odd (id, ${column}) VALUES (${i * 2 + 1}, ${sql})`,
      )
  }
  return { database, odds, ids: odds.map((_, i) => String(i * 2)) }
}

/** What an odd value is as text. */
async function textOf(database: Database, { column }: Odd, i: number): Promise<string> {
  const [[text]] = await database.texts(`SELECT ${column} FROM odd WHERE id = ${i * 2 + 1}`)
  return String(text)
}

describe.each(SERVERS.map(([name]) => name))('values that no file can hold, in %s', (name) => {
  test('rejected: one row each, with column, rule, value and the row; all others arrive', async () => {
    const { database, odds, ids } = await withOddValues(name)
    const { receipt } = await runWork(database.work({ table: 'odd' }))
    expect(receipt).toMatchObject({ rows: odds.length, rejected: odds.length })
    expect(
      await rowsOf(
        [receipt.output[0]],
        'SELECT id::VARCHAR AS id, word, pad FROM T ORDER BY T.id'.replace('T.id', 'id::INT'),
      ),
    ).toEqual(ids.map((id) => ({ id, word: 'a"\n,b', pad: isMaria(name) ? 'x' : 'x  ' })))
    const rejects = await rowsOf([receipt.output[1]], "SELECT * FROM T ORDER BY (original->>'id')::INT")
    for (const [i, one] of odds.entries()) {
      const text = await textOf(database, one, i)
      expect(rejects[i], one.sql).toMatchObject({
        table_name: 'odd',
        column_name: one.column,
        rule: one.rule,
        error_message: expect.stringContaining('a file cannot hold'),
      })
      expect(String(rejects[i].value).replace('+00', ''), one.sql).toBe(text.replace('+00', ''))
      expect(JSON.parse(String(rejects[i].original)), one.sql).toMatchObject({
        word: 'a"\n,b',
        pad: isMaria(name) ? 'x' : 'x  ',
      })
    }
  })

  test('missing: every row arrives, without the value', async () => {
    const { database, odds } = await withOddValues(name)
    const { receipt } = await runWork(database.work({ table: 'odd', unrepresentable: 'null' }))
    expect(receipt).toMatchObject({ rows: odds.length * 2, rejected: 0 })
    const columns = [...new Set(odds.map(({ column }) => column))]
    const rows = await rowsOf(
      receipt.output,
      `SELECT id, [${columns.map((column) => `CASE WHEN ${column} IS NULL THEN '${column}' END`).join(', ')}] AS missing FROM T ORDER BY id`,
    )
    for (const [i, { column }] of odds.entries()) {
      expect((rows[i * 2].missing as (string | null)[]).filter((one) => one !== null)).toEqual([])
      expect((rows[i * 2 + 1].missing as (string | null)[]).filter((one) => one !== null)).toEqual([column])
    }
  })

  test('as text: every value of such columns as the database writes it', async () => {
    const { database, odds } = await withOddValues(name)
    const { receipt } = await runWork(database.work({ table: 'odd', unrepresentable: 'text' }))
    const columns = [...new Set(odds.map(({ column }) => column))]
    const told = columns.map((column) =>
      isMaria(name) && column === 'tz' ? `CONCAT(${column}, '+00')` : column,
    )
    const texts = await database.texts(`SELECT ${told.join(', ')} FROM odd ORDER BY id`)
    const asked = columns.map((column, i): Asked => [column, 'text', texts.map((row) => row[i])])
    const only = await runWork(database.work({ table: 'odd', unrepresentable: 'text', columns }))
    expect(receipt).toMatchObject({ rows: odds.length * 2, rejected: 0 })
    expect(await differences('pyarrow', only.receipt.output[0], asked)).toEqual([])
  })
})

test('a treatment that is none is refused by name', async () => {
  await expect(
    runWork((await on('MariaDB')).work({ table: 'every_type', unrepresentable: 'nulls' })),
  ).rejects.toMatchObject({
    code: 'setting_missing',
    message: expect.stringContaining('"reject", "null", "text"'),
  })
})

test('Spark reads the same values from the same files', async () => {
  const spark = await testSpark({ memory: '800m' })
  const session = spark.session()
  await session.configure({ 'spark.sql.session.timeZone': 'UTC' })
  for (const [name] of SERVERS.filter(([one]) => one !== 'PostgreSQL 15')) {
    const { outcome, asked } = await everyType(name)
    const told = (column: string, kind: string): string =>
      kind === 'bytes'
        ? `lower(hex(${column}))`
        : kind === 'timestamptz'
          ? `date_format(${column}, "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'")`
          : `CAST(${column} AS STRING)`
    const rows = await session.sql(
      `SELECT ${asked.map(([column, kind]) => `${told(column, kind)} AS ${column}`).join(', ')} FROM parquet.\`${outcome.receipt.output[0]}\` ORDER BY CAST(id AS INT)`,
    )
    for (const [column, kind, texts] of asked) {
      const plain = (text: string | null): unknown => (text === null ? null : sparkText(kind, text))
      expect(
        rows.map((row) => plain(row[column] as string | null)),
        `${name}: ${column} ${kind}`,
      ).toEqual(texts.map(plain))
    }
  }
  await session.close()
  await spark.stop()
}, 300_000)

/** Texts of one value in one form, whoever wrote it. */
function sparkText(kind: string, text: string): unknown {
  if (kind === 'bytes') return text.replace(/^\\x/, '')
  if (kind === 'boolean') return ['t', '1', 'true'].includes(text)
  if (kind === 'integer') return BigInt(text)
  if (kind === 'decimal') return text.replace(/^(-?)0+(?=\d)/, '$1')
  if (kind === 'real') return Math.fround(Number(text))
  if (kind === 'double') return Number(text)
  if (kind === 'timestamptz' || kind === 'timestamp')
    return text
      .replace('T', ' ')
      .replace(/(\+00(:00)?|Z)$/, '')
      .replace(/(\.\d*?)0+$/, '$1')
      .replace(/\.$/, '')
  return text
}
