/**
 * A table of a database as input of a transfer: text through pipes, so that neither side holds more than a buffer of it. Parts are read
 * beside each other, each into a file of its own that a next attempt can go on with; at the end they are joined by copying.
 */
import { execFile } from 'node:child_process'
import { constants, openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { MysqlConfig, MysqlCursor } from '../../connectors/mysql/source.ts'
import type { PostgresConfig, PostgresCursor } from '../../connectors/postgres/source.ts'
import { NULL_TEXT, type DatabaseLogin, type ReadMoment, type ReadOptions, type TableRead } from '../../connectors/table-source.ts'
import { failure, storageFailure } from '../../core/errors.ts'
import { name } from '../../engines/duckdb/sql.ts'
import type { DuckSession } from '../../engines/duckdb/session.ts'
import { transfer, unhexed, type TransferInput } from '../../engines/duckdb/transfer.ts'
import { allowedAddress, egressPolicy } from './dial.ts'
import { joinFiles } from './parquet-file.ts'
import { openPartJournal, type DonePart, type PartJournal } from './part-journal.ts'
import { limitOf, type Read, type Target } from './transfer-read.ts'
import type { Work } from './work.ts'

/** Connections to a tenant's database that one execution opens without being asked to. */
const USUAL_LANES = 4

async function openTable(work: Work, earlier: ReadMoment | undefined): Promise<TableRead> {
  const login = (work.sourceSecret ?? {}) as unknown as DatabaseLogin
  const options: ReadOptions<unknown> = { since: work.cursor ?? undefined, limit: limitOf(work), lanes: Number(work.source.connections ?? Math.min(work.threads, USUAL_LANES)), earlier }
  if (work.sourceType === 'mysql') {
    const config = work.source as unknown as MysqlConfig
    const { readMysql } = await import('../../connectors/mysql/source.ts')
    return readMysql(config, login, await allowedAddress(egressPolicy(), config.host, config.port ?? 3306), options as ReadOptions<MysqlCursor>)
  }
  const config = work.source as unknown as PostgresConfig
  const { readPostgres } = await import('../../connectors/postgres/source.ts')
  return readPostgres(config, login, await allowedAddress(egressPolicy(), config.host, config.port ?? 5432), options as ReadOptions<PostgresCursor>)
}

export async function readTable(work: Work, session: DuckSession, { staged, progress, now }: Target): Promise<Read> {
  const begun = now()
  const journal = await openPartJournal(work.workFolder)
  const source = await openTable(work, journal.earlier?.moment)
  try {
    const whole = source.parts.length === 1
    const kept = await keptOf(source, journal)
    if (!whole) await journal.begin({ identity: source.identity, moment: source.moment }, kept)
    const startupSeconds = now() - begun
    const sum = kept.reduce((all, { rows, bytes }) => ({ rows: all.rows + rows, bytes: all.bytes + bytes }), { rows: 0, bytes: 0 })
    const onBytes = (bytes: number): void => progress(sum.rows, (sum.bytes += bytes), 'reading')
    const waiting = source.parts.filter((name) => !kept.some((part) => part.name === name))
    let broken = false
    const lanes = await Promise.allSettled(Array.from({ length: source.lanes }, async (_, lane) => {
      const connection = await session.connect()
      try {
        for (let part = waiting.shift(); part !== undefined && !broken; part = waiting.shift()) {
          const read = await readPart(work, connection, source, { part, lane, output: whole ? staged : journal.pathOf(part), onBytes })
          if (!whole) await journal.done(read)
          sum.rows += read.rows
        }
      } catch (error) {
        broken = true
        throw error
      } finally {
        await connection.close()
      }
    }))
    for (const lane of lanes) if (lane.status === 'rejected') throw lane.reason
    if (!whole) await joinFiles(source.parts.map(journal.pathOf), staged)
    await journal.drop()
    return { ...sum, rejected: 0, totalRows: source.estimatedRows, cursor: source.cursor(), startupSeconds, partsKept: kept.length }
  } catch (error) {
    throw misfitOf(error, work) ?? source.failed(error)
  } finally {
    await source.close()
  }
}

/** Parts of an earlier attempt that are what this read would give. */
async function keptOf(source: TableRead, { earlier }: PartJournal): Promise<DonePart[]> {
  if (earlier?.moment.identity !== source.identity) return []
  const kept: DonePart[] = []
  for (const part of earlier.parts) if (source.parts.includes(part.name) && (await source.keeps(part.name, part.rows, part.note))) kept.push(part)
  return kept
}

interface PartTarget {
  part: string
  lane: number
  output: string
  onBytes(bytes: number): void
}

/** The database writes CSV into a pipe that DuckDB reads. */
async function readPart(work: Work, session: DuckSession, source: TableRead, { part, lane, output, onBytes }: PartTarget): Promise<DonePart> {
  const pipe = join(work.workFolder, `rows-${lane}.csv`)
  await rm(pipe, { force: true })
  await promisify(execFile)('mkfifo', ['-m', '600', pipe])
  const { stream, note } = await source.open(part, lane)
  let bytes = 0
  const counted = new Transform({ transform: (chunk: Buffer, _, done) => ((bytes += chunk.length), onBytes(chunk.length), done(null, chunk)) })
  const select = source.columns.map((column) => (column.hex ? unhexed(column.name) : name(column.name))).join(', ')
  const input: TransferInput = { format: 'csv', paths: [pipe], header: false, columns: Object.fromEntries(source.columns.map((column) => [column.name, column.duckType])), nullText: NULL_TEXT, select }
  const reader = new AbortController()
  const reading = transfer(session, input, output).finally(() => reader.abort())
  // Both have ended when one has failed: a part's file must not be written to any more when the next attempt begins.
  const [read, sent] = await Promise.allSettled([reading, pipeline(stream, counted, async (chunks: AsyncIterable<Buffer>) => pipeline(chunks, await writerOf(pipe, reader.signal)))])
  // What the database says comes first: a reader that lost its writer has only seen an end.
  if (read.status === 'rejected' && (sent.status === 'fulfilled' || ['EPIPE', 'ABORT_ERR'].includes(String((sent.reason as NodeJS.ErrnoException).code)))) throw read.reason
  if (sent.status === 'rejected') throw sent.reason
  return { name: part, rows: (read as PromiseFulfilledResult<{ rows: number }>).value.rows, bytes, note: note() }
}

const OPEN_AGAIN_MS = 2

/**
 * The pipe's writing end, as soon as somebody reads. Neither opening nor writing holds one of libuv's threads: the queries that read the
 * pipes hold theirs until the writers are done, and with a few of them both would wait for ever.
 */
async function writerOf(pipe: string, given: AbortSignal): Promise<Socket> {
  for (;;) {
    try {
      return new Socket({ fd: openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK), readable: false, writable: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw storageFailure(error, 'write', pipe)
    }
    await setTimeout(OPEN_AGAIN_MS, undefined, { signal: given })
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
