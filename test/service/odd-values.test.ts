/** Values of databases that no file can hold: rejected, missing or as text, each as its source says. */
import { describe, expect, test } from 'vitest'
import { differences, POSTGRES_TYPES, type Asked } from '../support/database-values.ts'
import { openFolder } from '../support/service.ts'
import { rowsOf, runWork } from '../support/transfers.ts'
import {
  SERVERS,
  isMaria,
  openDatabases,
  type Database,
  type ServerName,
} from '../support/value-databases.ts'

const on = openDatabases(openFolder('headrace-odd-values-'))

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
const COLUMNS_POSTGRES = `
  id int PRIMARY KEY,
  n numeric(10,2) DEFAULT 1.5,
  small numeric(2,5) DEFAULT 0.00012,
  r real DEFAULT 0.5,
  f float8 DEFAULT 0.5,
  d date DEFAULT DATE '2026-02-28',
  ts timestamp DEFAULT '2026-02-28 12:00:00',
  tz timestamptz DEFAULT '2026-02-28 12:00:00+00',
  birth birthday DEFAULT DATE '2026-02-28',
  word text DEFAULT E'a"\\n,b',
  pad char(3) DEFAULT 'x'
`
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
const COLUMNS_MARIADB = `
  id int PRIMARY KEY,
  d date DEFAULT ${DAY},
  ts datetime(3) DEFAULT ${MOMENT},
  tz timestamp NULL DEFAULT ${MOMENT},
  word text DEFAULT 'a"\\n,b',
  pad char(3) DEFAULT 'x'
`

const oddTables = new Set<ServerName>()
/** Odd rows have odd numbers. */
async function withOddValues(name: ServerName): Promise<{ database: Database; odds: Odd[]; ids: string[] }> {
  const database = await on(name)
  const odds = isMaria(name) ? ODD_MARIADB : ODD_POSTGRES
  if (!oddTables.has(name)) {
    oddTables.add(name)
    if (!isMaria(name)) await database.run(POSTGRES_TYPES)
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

describe.each(SERVERS)('values that no file can hold, in %s', (name) => {
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
    for (const [i, oddValue] of odds.entries()) {
      const text = await textOf(database, oddValue, i)
      expect(rejects[i], oddValue.sql).toMatchObject({
        table_name: 'odd',
        column_name: oddValue.column,
        rule: oddValue.rule,
        error_message: expect.stringContaining('a file cannot hold'),
      })
      expect(String(rejects[i].value).replace('+00', ''), oddValue.sql).toBe(text.replace('+00', ''))
      expect(JSON.parse(String(rejects[i].original)), oddValue.sql).toMatchObject({
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
      expect((rows[i * 2].missing as (string | null)[]).filter((missing) => missing !== null)).toEqual([])
      expect((rows[i * 2 + 1].missing as (string | null)[]).filter((missing) => missing !== null)).toEqual([
        column,
      ])
    }
  })

  test('as text: every value of such columns as the database writes it', async () => {
    const { database, odds } = await withOddValues(name)
    const { receipt } = await runWork(database.work({ table: 'odd', unrepresentable: 'text' }))
    const columns = [...new Set(odds.map(({ column }) => column))]
    const expressions = columns.map((column) =>
      isMaria(name) && column === 'tz' ? `CONCAT(${column}, '+00')` : column,
    )
    const texts = await database.texts(`SELECT ${expressions.join(', ')} FROM odd ORDER BY id`)
    const asked = columns.map((column, i): Asked => [column, 'text', texts.map((row) => row[i])])
    const only = await runWork(database.work({ table: 'odd', unrepresentable: 'text', columns }))
    expect(receipt).toMatchObject({ rows: odds.length * 2, rejected: 0 })
    expect(await differences('pyarrow', only.receipt.output[0], asked)).toEqual([])
  })
})

test('a treatment that is none is refused by name', async () => {
  const { database } = await withOddValues('MariaDB')
  await expect(runWork(database.work({ table: 'odd', unrepresentable: 'nulls' }))).rejects.toMatchObject({
    code: 'setting_missing',
    message: expect.stringContaining('"reject", "null", "text"'),
  })
})
