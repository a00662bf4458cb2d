/**
 * Tables with every type and its extreme values, read by others than us: they find what the database says.
 */
import { describe, expect, test } from 'vitest'
import type { Outcome } from '../../src/executions/work.ts'
import {
  differences,
  MARIADB,
  POSTGRES,
  POSTGRES_TYPES,
  rowsOfCases,
  type Asked,
  type TypeCase,
} from '../support/database-values.ts'
import { openFolder } from '../support/service.ts'
import { sharedSpark } from '../support/spark.ts'
import { runWork } from '../support/transfers.ts'
import { SERVERS, isMaria, openDatabases, type ServerName } from '../support/value-databases.ts'
import { limitMs } from '../support/time-limits.ts'

const on = openDatabases(openFolder('headrace-values-'))

const tables = new Map<ServerName, Promise<{ outcome: Outcome; asked: Asked[] }>>()

/** The table of every type, read into a file; once for each database. */
function everyType(name: ServerName): Promise<{ outcome: Outcome; asked: Asked[] }> {
  const made = tables.get(name) ?? makeEveryType(name)
  tables.set(name, made)
  return made
}

async function makeEveryType(name: ServerName): Promise<{ outcome: Outcome; asked: Asked[] }> {
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
  const texts = await database.texts(
    `SELECT id, ${cases.map((typeCase, i) => toldBy(name, typeCase, `c${i}`)).join(', ')} FROM every_type ORDER BY id`,
  )
  const asked = ['id', ...cases.map((_, i) => `c${i}`)].map((column, i): Asked => [
    column,
    i === 0 ? 'integer' : cases[i - 1].kind,
    texts.map((row) => row[i]),
  ])
  return { outcome: await runWork(database.work({ table: 'every_type' })), asked }
}

/** How a query asks a column for its text; bytes are told as what they are. */
function toldBy(name: ServerName, { type, kind }: TypeCase, column: string): string {
  if (!isMaria(name)) return column
  if (type.startsWith('bit'))
    return `LPAD(lower(hex(${column})), ${Math.ceil(Number(/\d+/.exec(type)) / 8) * 2}, '0')`
  if (kind === 'bytes') return `lower(hex(${column}))`
  // A FLOAT of MariaDB is text of six digits.
  if (type === 'float') return `CAST(${column} AS DOUBLE)`
  return kind === 'timestamptz' ? `CONCAT(${column}, '+00:00')` : column
}

describe.each(SERVERS)('%s', (name) => {
  test.each(['pyarrow', 'polars'] as const)(
    'every type with its extreme values, as %s reads it, is what the database says',
    async (reader) => {
      const { outcome, asked } = await everyType(name)
      expect(outcome.receipt).toMatchObject({ rejected: 0, rows: asked[0][2].length })
      expect(await differences(reader, outcome.receipt.output[0], asked)).toEqual([])
    },
  )
})

test(
  'Spark reads the same values from the same files',
  async () => {
    const spark = await sharedSpark()
    const session = spark.session()
    await session.configure({ 'spark.sql.session.timeZone': 'UTC' })
    for (const name of SERVERS.filter((server) => server !== 'PostgreSQL 15')) {
      const { outcome, asked } = await everyType(name)
      const rows = await session.sql(
        `SELECT ${asked.map(([column, kind]) => `${sparkTold(column, kind)} AS ${column}`).join(', ')} FROM parquet.\`${outcome.receipt.output[0]}\` ORDER BY CAST(id AS INT)`,
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
  },
  limitMs(300_000),
)

/** How a query of Spark asks a column for its text. */
function sparkTold(column: string, kind: string): string {
  if (kind === 'bytes') return `lower(hex(${column}))`
  return kind === 'timestamptz'
    ? `date_format(${column}, "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'")`
    : `CAST(${column} AS STRING)`
}

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
