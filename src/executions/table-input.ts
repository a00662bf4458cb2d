/**
 * A table of a database as input of a transfer: text through pipes, so that neither side holds more than a
 * buffer of it. Parts are read in parallel, each into a separate file with which a next attempt can continue.
 * At the end, they are joined by copying.
 */
import { execFile } from 'node:child_process'
import { constants, openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pause } from '../core/waiting.ts'
import { promisify } from 'node:util'
import type { MysqlCursor } from '../connectors/mysql/source.ts'
import type { PostgresCursor } from '../connectors/postgres/source.ts'
import {
  NULL_TEXT,
  type DatabaseLogin,
  type ReadMoment,
  type ReadOptions,
  type TableRead,
} from '../connectors/table-source.ts'
import { failure, storageFailure } from '../core/errors.ts'
import { name } from '../engines/duckdb/sql.ts'
import type { DuckSession } from '../engines/duckdb/session.ts'
import { transfer, unhexed, type TransferInput } from '../engines/duckdb/transfer.ts'
import { settings } from '../host/settings.ts'
import { allowedAddress, egressPolicy } from '../net/dial.ts'
import { joinFiles } from './parquet-file.ts'
import { addPieces, createTableAside, writeRejects } from './table-aside.ts'
import { openPartJournal, type DonePart, type PartJournal } from './part-journal.ts'
import { limitOf, type Read, type Target } from './transfer-read.ts'
import type { Work } from './work.ts'
import type { MysqlConfig } from '../connectors/mysql/config.ts'
import type { PostgresConfig } from '../connectors/postgres/config.ts'

/** By default, one execution opens this many connections to a tenant's database. */
const USUAL_LANES = 4

async function openTable(work: Work, earlier: ReadMoment | undefined): Promise<TableRead> {
  const login = (work.sourceSecret ?? {}) as unknown as DatabaseLogin
  const options: ReadOptions<unknown> = {
    since: work.cursor ?? undefined,
    limit: limitOf(work),
    lanes: Number(work.source.connections ?? Math.min(work.threads, USUAL_LANES)),
    earlier,
  }
  if (work.sourceType === 'mysql') {
    const config = work.source as unknown as MysqlConfig
    const { readMysql } = await import('../connectors/mysql/source.ts')
    return readMysql(
      config,
      login,
      await allowedAddress(egressPolicy(settings()), config.host, config.port ?? 3306),
      options as ReadOptions<MysqlCursor>,
    )
  }
  const config = work.source as unknown as PostgresConfig
  const { readPostgres } = await import('../connectors/postgres/source.ts')
  return readPostgres(
    config,
    login,
    await allowedAddress(egressPolicy(settings()), config.host, config.port ?? 5432),
    options as ReadOptions<PostgresCursor>,
  )
}

/**
 * The share of an execution's memory for one row: the reader and Parquet's writer each hold it a few times.
 */
const ROW_SHARE = 1 / 32

export async function readTable(
  asked: Work,
  session: DuckSession,
  { staged, rejects, progress, now }: Target,
): Promise<Read> {
  const begun = now()
  const work = asked.destination.type === 'zones' ? forZones(asked) : asked
  const journal = await openPartJournal(work.workFolder)
  const source = await openTable(work, journal.earlier?.moment)
  try {
    const whole = source.parts.length === 1
    const kept = await keptOf(source, journal)
    if (!whole) await journal.begin({ identity: source.identity, moment: source.moment }, kept)
    const startupSeconds = now() - begun
    const done = [...kept]
    const sumOf = (field: 'rows' | 'rejected' | 'bytes'): number =>
      done.reduce((sum, part) => sum + part[field], 0)
    let bytes = sumOf('bytes')
    const onBytes = (more: number): void => progress(sumOf('rows'), (bytes += more), 'reading')
    const waiting = source.parts.filter((name) => !kept.some((part) => part.name === name))
    const read = async (connection: DuckSession, part: string, lane: number): Promise<void> => {
      const output = whole ? staged : journal.pathOf(part)
      const ended = await readPart(work, connection, source, {
        part,
        lane,
        output,
        rejects: journal.rejectsOf(part),
        onBytes,
      })
      if (!whole) await journal.done(ended)
      done.push(ended)
    }
    await inLanes(session, source.lanes, waiting, read)
    if (!whole) await joinFiles(source.parts.map(journal.pathOf), staged)
    const rejected = sumOf('rejected')
    const lines = done.filter((part) => part.rejected > 0).map((part) => journal.rejectsOf(part.name))
    if (rejected > 0) await writeRejects(session, lines, String(work.source.table), rejects)
    await journal.drop()
    const numberTexts = source.columns
      .filter((column) => column.isNumberText === true)
      .map((column) => column.name)
    const cursor = source.cursor()
    return {
      rows: sumOf('rows'),
      bytes,
      rejected,
      totalRows: source.estimatedRows,
      cursor,
      startupSeconds,
      partsKept: kept.length,
      numberTexts,
    }
  } catch (error) {
    throw misfitOf(error, work, source) ?? source.failed(error)
  } finally {
    await source.close()
  }
}

/** For the zones, the declaration judges every value, so it gets each as the database writes it. */
function forZones(work: Work): Work {
  return work.source.unrepresentable === 'null'
    ? work
    : { ...work, source: { ...work.source, unrepresentable: 'text' } }
}

/** Lanes take waiting parts, each on its own connection, until all are done or one has failed. */
async function inLanes(
  session: DuckSession,
  lanes: number,
  waiting: string[],
  read: (on: DuckSession, part: string, lane: number) => Promise<void>,
): Promise<void> {
  let broken = false
  const ended = await Promise.allSettled(
    Array.from({ length: lanes }, async (_, lane) => {
      const connection = await session.connect()
      try {
        for (let part = waiting.shift(); part !== undefined && !broken; part = waiting.shift())
          await read(connection, part, lane)
      } catch (error) {
        broken = true
        throw error
      } finally {
        await connection.close()
      }
    }),
  )
  for (const lane of ended) if (lane.status === 'rejected') throw lane.reason
}

/** Parts of an earlier attempt that this read would also give. */
async function keptOf(source: TableRead, { earlier }: PartJournal): Promise<DonePart[]> {
  if (earlier?.moment.identity !== source.identity) return []
  const kept: DonePart[] = []
  for (const part of earlier.parts) {
    if (
      source.parts.includes(part.name) &&
      (await source.keeps(part.name, part.rows + part.rejected, part.note))
    )
      kept.push(part)
  }
  return kept
}

interface PartTarget {
  part: string
  lane: number
  output: string
  rejects: string
  onBytes(bytes: number): void
}

/**
 * How rows of the stream become those of the file. The reader of lines does not use the names of columns,
 * which may be anything.
 */
function inputOf({ columns }: TableRead): Omit<TransferInput, 'paths'> {
  const types = columns
    .toSorted((a, b) => a.place - b.place)
    .map((column): [string, string] => [`c${column.place}`, column.duckType])
  const select = columns.map((column) =>
    column.hex ? unhexed(`c${column.place}`, column.name) : `c${column.place} AS ${name(column.name)}`,
  )
  return {
    format: 'csv',
    header: false,
    columns: Object.fromEntries(types),
    nullText: NULL_TEXT,
    select: select.join(', '),
  }
}

/** The database writes CSV into a pipe, from which DuckDB reads. */
async function readPart(
  work: Work,
  session: DuckSession,
  source: TableRead,
  { part, lane, output, rejects, onBytes }: PartTarget,
): Promise<DonePart> {
  const pipe = join(work.workFolder, `rows-${lane}.csv`)
  await rm(pipe, { force: true })
  await promisify(execFile)('mkfifo', ['-m', '600', pipe])
  const aside = createTableAside({
    rejects,
    pieces: join(work.workFolder, `long-${lane}`),
    mostRowBytes: Math.floor(work.memoryBytes * ROW_SHARE),
  })
  const { stream, note } = await source.open(part, lane, aside)
  let bytes = 0
  const counted = new Transform({
    transform: (chunk: Buffer, _, done) => (
      (bytes += chunk.length),
      onBytes(chunk.length),
      done(null, chunk)
    ),
  })
  const input = inputOf(source)
  const reader = new AbortController()
  const reading = transfer(session, { ...input, paths: [pipe] }, output).finally(() => reader.abort())
  const sending = pipeline(stream, counted, async (chunks: AsyncIterable<Buffer>) =>
    pipeline(chunks, await writerOf(pipe, reader.signal)),
  )
  // If one fails, wait for the other: no process may write to a part's file when the next attempt starts.
  const [read, sent] = await Promise.allSettled([reading, sending])
  // The database's error comes first: a reader that lost its writer has only seen an end.
  const isEcho =
    sent.status === 'fulfilled' ||
    ['EPIPE', 'ABORT_ERR'].includes(String((sent.reason as NodeJS.ErrnoException).code))
  if (read.status === 'rejected' && isEcho) throw read.reason
  if (sent.status === 'rejected') throw sent.reason
  const { rejected, pieces, bytes: long } = aside.end()
  onBytes(long)
  const more = await addPieces(
    output,
    pieces,
    async ({ path, maxLineBytes }, to) =>
      (await transfer(session, { ...input, paths: [path], maxLineBytes: maxLineBytes + 1 }, to)).rows,
  )
  const { rows } = (read as PromiseFulfilledResult<{ rows: number }>).value
  return { name: part, rows: rows + more, rejected, bytes: bytes + long, note: note() }
}

const OPEN_AGAIN_MS = 2

/**
 * Opens the writing end of the pipe as soon as a reader is there. Neither opening nor writing occupies one of
 * libuv's threads: the queries that read the pipes occupy theirs until the writers are done, so with few
 * threads both would wait forever.
 */
async function writerOf(pipe: string, given: AbortSignal): Promise<Socket> {
  for (;;) {
    try {
      return new Socket({
        fd: openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK),
        readable: false,
        writable: true,
      })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw storageFailure(error, 'write', pipe)
    }
    await pause(OPEN_AGAIN_MS, { signal: given })
    given.throwIfAborted()
  }
}

/** A value that does not fit the type of its column, from DuckDB's message: which value, and where. */
function misfitOf(error: unknown, work: Work, { columns }: TableRead): Error | undefined {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const found = /Error when converting column "c(\d+)"\. (Could not convert .*)/.exec(cause.message)
    const column = columns.find(({ place }) => place === Number(found?.[1]))?.name
    const reason = `column ${column} of ${String(work.source.table)}: ${found?.[2]}`
    if (found !== null) return failure('source_failed', { address: String(work.source.host), reason }, error)
  }
  return undefined
}
