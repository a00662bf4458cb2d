/**
 * Handles rows of a table that cannot go with the others: rejects go to a file of lines, rows too long for
 * the common reader to separate files.
 */
import { appendFileSync, rmSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import type { Aside, RejectedRow } from '../connectors/table-source.ts'
import { storageFailure } from '../core/errors.ts'
import type { DuckSession } from '../engines/duckdb/session.ts'
import { fileList, literal, name } from '../engines/duckdb/sql.ts'
import { joinFiles } from './parquet-file.ts'

/** Lines are collected up to this size before they are written. */
const BUFFER_TEXT = 1 << 16
/** Long rows are read in pieces of this size. */
const PIECE_BYTES = 16 * 1024 * 1024
const MOST_ORIGINAL = 65_536

export interface TableAside extends Aside {
  /** Ends it: all rejects are in their file. */
  end(): { rejected: number; pieces: Piece[]; bytes: number }
}

export interface Piece {
  path: string
  /** The longest row. */
  maxLineBytes: number
}

export interface AsideFiles {
  rejects: string
  /** The beginning of the path of files with long rows. */
  pieces: string
  /** A longer row is rejected: it must not go through the memory of the execution. */
  mostRowBytes: number
}

/**
 * For one part. Files of an earlier attempt are overwritten. It writes synchronously: the caller is in the
 * middle of the bytes of a socket.
 */
export function createTableAside({ rejects, pieces: at, mostRowBytes }: AsideFiles): TableAside {
  rmSync(rejects, { force: true })
  let lines = ''
  let rejected = 0
  const pieces: (Piece & { bytes: number })[] = []
  const flush = (): void => {
    if (lines !== '') append(rejects, lines)
    lines = ''
  }
  const reject = (row: RejectedRow): void => {
    rejected += 1
    lines += `${JSON.stringify(row)}\n`
    if (lines.length > BUFFER_TEXT) flush()
  }
  return {
    reject,
    large(row) {
      if (row.length > mostRowBytes) {
        const most = `the ${mostRowBytes} that go through this execution's memory`
        const message = `the row has ${row.length} bytes as text, more than ${most}`
        return reject({
          column: '',
          rule: 'too_large',
          value: '',
          message,
          original: row.toString('utf8', 0, MOST_ORIGINAL),
        })
      }
      const last = pieces.at(-1)
      const piece = last === undefined || last.bytes + row.length > PIECE_BYTES ? newPiece(pieces, at) : last
      append(piece.path, row)
      piece.bytes += row.length
      piece.maxLineBytes = Math.max(piece.maxLineBytes, row.length)
    },
    end() {
      flush()
      return { rejected, pieces, bytes: pieces.reduce((sum, piece) => sum + piece.bytes, 0) }
    },
  }
}

function newPiece(pieces: (Piece & { bytes: number })[], at: string): Piece & { bytes: number } {
  const piece = { path: `${at}-${pieces.length}.csv`, maxLineBytes: 0, bytes: 0 }
  rmSync(piece.path, { force: true })
  pieces.push(piece)
  return piece
}

function append(path: string, content: string | Buffer): void {
  try {
    appendFileSync(path, content, { mode: 0o600 })
  } catch (error) {
    throw storageFailure(error, 'write', path)
  }
}

/** Adds rows of pieces to a file. `read` turns a piece into Parquet and returns its number of rows. */
export async function addPieces(
  file: string,
  pieces: Piece[],
  read: (piece: Piece, output: string) => Promise<number>,
): Promise<number> {
  if (pieces.length === 0) return 0
  let rows = 0
  const files = [file]
  for (const piece of pieces) {
    files.push(`${piece.path}.parquet`)
    rows += await read(piece, `${piece.path}.parquet`)
    await rm(piece.path, { force: true })
  }
  await joinFiles(files, `${file}.joined`)
  await rename(`${file}.joined`, file)
  for (const path of files.slice(1)) await rm(path, { force: true })
  return rows
}

const TEXTS: (keyof RejectedRow)[] = ['column', 'rule', 'value', 'message', 'original']
const COLUMNS = {
  column: 'column_name',
  rule: 'rule',
  value: 'value',
  message: 'error_message',
  original: 'original',
}

/** Writes the rejects of all parts to the file that is published next to the output. */
export async function writeRejects(
  session: DuckSession,
  files: string[],
  table: string,
  output: string,
): Promise<void> {
  const types = `{${TEXTS.map((text) => `${literal(text)}: 'VARCHAR'`).join(', ')}}`
  const select = TEXTS.map((text) => `${name(text)} AS ${name(COLUMNS[text])}`).join(', ')
  const lines = `read_json(${fileList(files)}, format = 'newline_delimited', columns = ${types})`
  await session.run(
    `COPY (SELECT ${literal(table)} AS table_name, ${select} FROM ${lines})
    TO ${literal(output)} (FORMAT parquet, COMPRESSION zstd)`,
  )
}
