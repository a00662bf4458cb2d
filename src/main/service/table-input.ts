/** A table of a database as input of a transfer: text through a pipe, so that neither side holds more than a buffer of it. */
import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import type { MysqlConfig, MysqlCursor } from '../../connectors/mysql/source.ts'
import type { PostgresConfig, PostgresCursor } from '../../connectors/postgres/source.ts'
import { NULL_TEXT, type DatabaseLogin, type TableRead } from '../../connectors/table-source.ts'
import { failure } from '../../core/errors.ts'
import { name } from '../../engines/duckdb/sql.ts'
import type { DuckSession } from '../../engines/duckdb/session.ts'
import { transfer, unhexed, type TransferInput } from '../../engines/duckdb/transfer.ts'
import { allowedAddress, egressPolicy } from './dial.ts'
import { limitOf, type Read, type Target } from './transfer-read.ts'
import type { Work } from './work.ts'

async function openTable(work: Work): Promise<TableRead> {
  const login = (work.sourceSecret ?? {}) as unknown as DatabaseLogin
  const limit = limitOf(work)
  if (work.sourceType === 'mysql') {
    const config = work.source as unknown as MysqlConfig
    const { readMysql } = await import('../../connectors/mysql/source.ts')
    return readMysql(config, login, await allowedAddress(egressPolicy(), config.host, config.port ?? 3306), { since: (work.cursor ?? undefined) as MysqlCursor | undefined, limit })
  }
  const config = work.source as unknown as PostgresConfig
  const { readPostgres } = await import('../../connectors/postgres/source.ts')
  return readPostgres(config, login, await allowedAddress(egressPolicy(), config.host, config.port ?? 5432), { since: (work.cursor ?? undefined) as PostgresCursor | undefined, limit })
}

/** The database writes CSV into a pipe that DuckDB reads: neither holds more than a buffer of it. */
export async function readTable(work: Work, session: DuckSession, { staged, progress, now }: Target): Promise<Read> {
  const begun = now()
  const source = await openTable(work)
  try {
    const pipe = join(work.workFolder, 'rows.csv')
    await promisify(execFile)('mkfifo', ['-m', '600', pipe])
    const startupSeconds = now() - begun
    let bytes = 0
    const counted = new Transform({ transform: (chunk: Buffer, _, done) => ((bytes += chunk.length), progress(0, bytes, 'reading'), done(null, chunk)) })
    const select = source.columns.map((column) => (column.hex ? unhexed(column.name) : name(column.name))).join(', ')
    const input: TransferInput = { format: 'csv', paths: [pipe], header: false, columns: Object.fromEntries(source.columns.map((column) => [column.name, column.duckType])), nullText: NULL_TEXT, select }
    const [result] = await Promise.all([transfer(session, input, staged), pipeline(source.stream, counted, createWriteStream(pipe))])
    return { ...result, bytes, totalRows: source.estimatedRows, cursor: source.cursor(), startupSeconds }
  } catch (error) {
    throw misfitOf(error, work) ?? error
  } finally {
    await source.close()
  }
}

/** A value that its column's type has no room for, as DuckDB says it: which, where. */
function misfitOf(error: unknown, work: Work): Error | undefined {
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    const found = /Error when converting column "([^"]*)"\. (Could not convert .*)/.exec(one.message)
    if (found !== null) return failure('source_failed', { address: String(work.source.host), reason: `column ${found[1]} of ${String(work.source.table)}: ${found[2]}` }, error)
  }
  return undefined
}
