/** A table of a database as input of a transfer: text through a pipe, so that neither side holds more than a buffer of it. */
import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { NULL_TEXT, readPostgres, type PostgresConfig, type PostgresCursor, type PostgresLogin } from '../../connectors/postgres/source.ts'
import { name } from '../../engines/duckdb/sql.ts'
import type { DuckSession } from '../../engines/duckdb/session.ts'
import { transfer, unhexed, type TransferInput } from '../../engines/duckdb/transfer.ts'
import { allowedAddress, egressPolicy } from './dial.ts'
import { limitOf, type Read, type Target } from './transfer-read.ts'
import type { Work } from './work.ts'

/** PostgreSQL writes CSV into a pipe that DuckDB reads: neither holds more than a buffer of it. */
export async function readTable(work: Work, session: DuckSession, { staged, progress, now }: Target): Promise<Read> {
  const begun = now()
  const config = work.source as unknown as PostgresConfig
  const address = await allowedAddress(egressPolicy(), config.host, config.port ?? 5432)
  const login = (work.sourceSecret ?? {}) as unknown as PostgresLogin
  const source = await readPostgres(config, login, address, { since: (work.cursor ?? undefined) as PostgresCursor | undefined, limit: limitOf(work) })
  try {
    const pipe = join(work.workFolder, 'rows.csv')
    await promisify(execFile)('mkfifo', ['-m', '600', pipe])
    const startupSeconds = now() - begun
    let bytes = 0
    const counted = new Transform({ transform: (chunk: Buffer, _, done) => ((bytes += chunk.length), progress(0, bytes, 'reading'), done(null, chunk)) })
    const select = source.columns.map((column) => (column.hex ? unhexed(column.name) : name(column.name))).join(', ')
    const input: TransferInput = { format: 'csv', paths: [pipe], header: false, columns: Object.fromEntries(source.columns.map((column) => [column.name, column.duckType])), nullText: NULL_TEXT, select }
    const [result] = await Promise.all([transfer(session, input, staged), pipeline(source.stream, counted, createWriteStream(pipe))])
    return { ...result, bytes, totalRows: source.estimatedRows, cursor: source.cursor, startupSeconds }
  } finally {
    await source.close()
  }
}

