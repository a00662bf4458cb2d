/**
 * Rows of a query as CSV text, some hundred at a time. Values that no file can hold are separated on the way.
 */
import type { Readable } from 'node:stream'
import type { Connection } from 'mysql2/promise'
import { LARGE_ROW_BYTES, NULL_TEXT, type Aside, type Unrepresentable } from '../table-source.ts'
import type { Window } from './position.ts'
import type { MysqlColumn } from './file-type.ts'

type Row = (string | null)[]
type Field = { string(encoding: string): string | null; buffer(): Buffer | null }

interface RowsOptions {
  columns: MysqlColumn[]
  window: Window
  treatment: Unrepresentable
  aside: Aside
}

const CHUNK_TEXT = 1 << 16

export async function* csvOf(
  connection: Connection,
  query: string,
  { columns, window, treatment, aside }: RowsOptions,
): AsyncGenerator<Buffer> {
  // mysql2's plain connection streams; its promise API would collect all rows.
  const plain = (
    connection as unknown as { connection: { query(options: object): { stream(options: object): Readable } } }
  ).connection
  const rows = plain
    .query({ sql: query, rowsAsArray: true, typeCast: castOf(columns) })
    .stream({ highWaterMark: 512 })
  // A lost connection is reported to the connection, and not to a query that streams.
  const onLost = (error: Error): void => void rows.destroy(error)
  connection.once('error', onLost)
  const judge = judgeOf(columns, treatment, aside)
  let text = ''
  try {
    for await (const row of rows as AsyncIterable<Row>) {
      const [identity, inNext, maybeTaken, known] = row.slice(columns.length)
      const isNew =
        identity === null || window.takes(identity, inNext === '1', maybeTaken === '1', known ?? identity)
      if (!isNew) continue
      if (!judge(row)) continue
      const line = `${columns.map((column, i) => csvValue(row[i], column.quoted)).join(',')}\n`
      if (line.length > LARGE_ROW_BYTES / 4 && Buffer.byteLength(line) > LARGE_ROW_BYTES) {
        aside.large(Buffer.from(line))
        continue
      }
      text += line
      if (text.length < CHUNK_TEXT) continue
      yield Buffer.from(text)
      text = ''
    }
  } finally {
    connection.removeListener('error', onLost)
  }
  if (text !== '') yield Buffer.from(text)
}

/**
 * Reads everything as text: the connection uses UTF-8, whatever the encoding of a column; JSON columns state
 * none.
 */
function castOf(columns: MysqlColumn[]): (field: Field) => string | null {
  let column = 0
  const width = columns.length + 4
  return (field) => {
    const hex = columns[column]?.hex === true
    column = (column + 1) % width
    if (!hex) return field.string('utf8')
    const bytes = field.buffer()
    return bytes === null ? null : `\\x${bytes.toString('hex')}`
  }
}

const MOST_ROW_TEXT = 65_536

/** Whether a row is accepted. Values that no file can hold are removed from it, or the row is rejected. */
function judgeOf(columns: MysqlColumn[], treatment: Unrepresentable, aside: Aside): (row: Row) => boolean {
  const odd = columns.flatMap(({ isOdd }, i) => (isOdd === undefined ? [] : [{ i, isOdd }]))
  return (row) => {
    for (const { i, isOdd } of odd) {
      const value = row[i]
      if (value === null || !isOdd(value)) continue
      if (treatment === 'null') row[i] = null
      else {
        aside.reject(rejected(columns, i, row))
        return false
      }
    }
    return true
  }
}

function rejected(columns: MysqlColumn[], i: number, row: Row): Parameters<Aside['reject']>[0] {
  const { name, type, rule = 'type' } = columns[i]
  const value = String(row[i])
  const original = JSON.stringify(
    Object.fromEntries(columns.map((column, place) => [column.name, row[place]])),
  ).slice(0, MOST_ROW_TEXT)
  return {
    column: name,
    rule,
    value,
    message: `${value} is a value of ${type} that a file cannot hold`,
    original,
  }
}

function csvValue(value: string | null, quoted: boolean): string {
  if (value === null) return NULL_TEXT
  return quoted ? `"${value.replaceAll('"', '""')}"` : value
}
