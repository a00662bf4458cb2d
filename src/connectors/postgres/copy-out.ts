/**
 * `COPY ... TO STDOUT` as a stream of its bytes. The server sends each row in its own message. The five bytes
 * before each are removed in place, in one pass over the socket's data, without creating anything per row
 * (pg-copy-streams creates two objects, half of the CPU time of a read). Messages as in
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY.
 */
import { isUtf8 } from 'node:buffer'
import { Readable } from 'node:stream'
import type pg from 'pg'

const HEADER_BYTES = 5
const COPY_DATA = 0x64
const COPY_DONE = 0x63
/**
 * Messages that may come before and between rows: CopyOutResponse, notices, changed settings, notifications.
 */
const PASSED_OVER = new Set([0x48, 0x4e, 0x53, 0x41])
/** Moving a short row byte by byte is faster than a call. */
const SHORT_BYTES = 96
/** The socket pauses when this much waits for a reader. */
const WAITING_BYTES = 1024 * 1024

/** Rows that take another way than the others, and their destination. */
export interface Diversion {
  /** How a row begins that is not really a row. */
  mark?: Buffer
  onMarked?(row: Buffer): void
  /** Larger rows are diverted. */
  largeBytes?: number
  onLarge?(row: Buffer): void
  /**
   * Given if the server does not check its texts: takes a row that is not UTF-8. Each row is then checked.
   */
  onBroken?(row: Buffer): void
}

/** Extracts the content of messages from the data of a socket, chunk after chunk. */
export interface Unframer {
  /**
   * The rows in a chunk, moved together in its own memory. Once the copy is over, also what follows: the end
   * from the server, or another message, from its first byte.
   */
  rows(chunk: Buffer): { rows: Buffer; after: Buffer | undefined }
}

/** For a message that continues: its bytes are moved to the others, kept for the diversion, or dropped. */
type Way = 'row' | 'aside' | 'none'

export function createUnframer(diversion: Diversion = {}): Unframer {
  /**
   * For a message that continues in the next chunk: the rest of its length, or the bytes of its beginning.
   */
  let left = 0
  let way: Way = 'none'
  let beginning = Buffer.alloc(0)
  const aside = createAside(diversion)
  const { peekBytes, isAside } = aside
  return {
    rows(part) {
      const chunk = beginning.length === 0 ? part : Buffer.concat([beginning, part])
      beginning = Buffer.alloc(0)
      let at = 0
      let kept = 0
      for (;;) {
        const length = Math.min(left, chunk.length - at)
        if (way === 'row') {
          move(chunk, at, kept, length)
          kept += length
        } else if (way === 'aside' && length > 0) aside.take(chunk.subarray(at, at + length), left - length)
        at += length
        left -= length
        if (left > 0) break
        const size =
          chunk.length - at < HEADER_BYTES ? Infinity : chunk.readUInt32BE(at + 1) - (HEADER_BYTES - 1)
        const code = chunk[at]
        const isRow = code === COPY_DATA
        if (size === Infinity || (isRow && chunk.length - at - HEADER_BYTES < Math.min(size, peekBytes))) {
          beginning = Buffer.from(chunk.subarray(at))
          break
        }
        if (!isRow && !PASSED_OVER.has(code)) {
          return {
            rows: rowsOf(chunk, kept, aside),
            after: chunk.subarray(code === COPY_DONE ? at + HEADER_BYTES : at),
          }
        }
        at += HEADER_BYTES
        left = size
        if (!isRow) way = 'none'
        else way = isAside(chunk, at, size) ? 'aside' : 'row'
      }
      return { rows: rowsOf(chunk, kept, aside), after: undefined }
    },
  }
}

const rowsOf = (chunk: Buffer, kept: number, aside: AsideRows): Buffer =>
  aside.andWhole(chunk.subarray(0, kept))

interface AsideRows {
  /** How many bytes of a row are needed to decide its way. */
  peekBytes: number
  isAside(chunk: Buffer, at: number, size: number): boolean
  /** Bytes of a diverted row, and how many are still to come. */
  take(bytes: Buffer, left: number): void
  /** With diverted rows that came back. */
  andWhole(rows: Buffer): Buffer
}

/** Collects rows completely before it judges them. */
function createAside({ mark, onMarked, largeBytes = Infinity, onLarge, onBroken }: Diversion): AsideRows {
  const [first, second] = mark ?? [-1, -1]
  let pieces: Buffer[] = []
  const back: Buffer[] = []
  const isMarked = (chunk: Buffer, at: number): boolean =>
    mark !== undefined &&
    chunk.compare(mark, 0, mark.length, at, Math.min(chunk.length, at + mark.length)) === 0
  const judge = (row: Buffer): void => {
    if (isMarked(row, 0)) onMarked?.(row)
    else if (onBroken !== undefined && !isUtf8(row)) onBroken(row)
    else if (row.length > largeBytes) onLarge?.(row)
    else back.push(row)
  }
  return {
    peekBytes: mark?.length ?? 0,
    isAside: (chunk, at, size) =>
      (chunk[at] === first && chunk[at + 1] === second && isMarked(chunk, at)) ||
      size > largeBytes ||
      onBroken !== undefined,
    take(bytes, left) {
      pieces.push(Buffer.from(bytes))
      if (left > 0) return
      const row = Buffer.concat(pieces)
      pieces = []
      judge(row)
    },
    andWhole: (rows) => (back.length === 0 ? rows : Buffer.concat([...back.splice(0), rows])),
  }
}

function move(chunk: Buffer, from: number, to: number, length: number): void {
  if (from === to) return
  if (length > SHORT_BYTES) chunk.copyWithin(to, from, from + length)
  else for (let i = 0; i < length; i += 1) chunk[to + i] = chunk[from + i]
}

type Handler = (chunk: Buffer) => void

/**
 * For `client.query`: runs the statement and returns the bytes of its rows. It fails like a query of the
 * client. Leaving early ends the client.
 */
export function copyOut(statement: string, diversion: Diversion = {}): Readable & pg.Submittable {
  const unframer = createUnframer(diversion)
  let socket: pg.Connection['stream'] | undefined
  /** The receiver of diverted rows may fail, for example on a full disk; nobody would catch it here. */
  const unframed = (chunk: Buffer): ReturnType<Unframer['rows']> => {
    try {
      return unframer.rows(chunk)
    } catch (error) {
      stream.destroy(error as Error)
      return { rows: Buffer.alloc(0), after: undefined }
    }
  }
  const stream = new Readable({ highWaterMark: WAITING_BYTES, read: () => void socket?.resume() })
  return Object.assign(stream, {
    submit(connection: pg.Connection): void {
      const on = connection.stream
      // The client's own reader waits until the copy is over: it would create an object for each row.
      const [theirs] = on.listeners('data') as Handler[]
      const ours: Handler = (chunk) => {
        const { rows, after } = unframed(chunk)
        if (rows.length > 0 && !stream.push(rows) && after === undefined) on.pause()
        if (after === undefined) return
        socket = undefined
        on.off('data', ours)
        on.on('data', theirs)
        if (after.length > 0) theirs(after)
      }
      on.off('data', theirs)
      on.on('data', ours)
      socket = on
      connection.query(statement)
    },
    handleError: (error: Error): void => void stream.destroy(error),
    handleCommandComplete: (): void => void stream.push(null),
    handleReadyForQuery: (): void => undefined,
  })
}
