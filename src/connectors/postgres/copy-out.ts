/**
 * `COPY ... TO STDOUT` as a stream of its bytes. The server sends each row in a message of its own; the five bytes before each are cut out
 * where the rows lie, in one pass over what the socket read, and nothing is made per row (pg-copy-streams makes two objects, half of the
 * CPU of a read). Messages as in https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY.
 */
import { Readable } from 'node:stream'
import type pg from 'pg'

const HEADER_BYTES = 5
const COPY_DATA = 0x64
const COPY_DONE = 0x63
/** What may come before and between rows: CopyOutResponse, notices, settings that changed, notifications. */
const PASSED_OVER = new Set([0x48, 0x4e, 0x53, 0x41])
/** A short row is moved faster byte by byte than by a call. */
const SHORT_BYTES = 96
/** What waits for a reader before the socket is paused. */
const WAITING_BYTES = 1024 * 1024

/** Cuts the content of messages out of what a socket reads, chunk after chunk. */
export interface Unframer {
  /**
   * The rows in a chunk, which lie in the chunk's own memory from then on; and, once the copy is over, what follows: the end that the
   * server told, or a message that is not a copy's, from its first byte.
   */
  rows(chunk: Buffer): { rows: Buffer; after: Buffer | undefined }
}

export function createUnframer(): Unframer {
  /** Of a message that goes on in the next chunk: what is left of it, or the bytes of its header. */
  let left = 0
  let isRow = false
  let header = Buffer.alloc(0)
  return {
    rows(part) {
      const chunk = header.length === 0 ? part : Buffer.concat([header, part])
      header = Buffer.alloc(0)
      let at = 0
      let kept = 0
      for (;;) {
        const length = Math.min(left, chunk.length - at)
        if (isRow) {
          move(chunk, at, kept, length)
          kept += length
        }
        at += length
        left -= length
        if (left > 0) break
        if (chunk.length - at < HEADER_BYTES) {
          header = Buffer.from(chunk.subarray(at))
          break
        }
        const code = chunk[at]
        isRow = code === COPY_DATA
        if (!isRow && !PASSED_OVER.has(code)) return { rows: chunk.subarray(0, kept), after: chunk.subarray(code === COPY_DONE ? at + HEADER_BYTES : at) }
        left = chunk.readUInt32BE(at + 1) - (HEADER_BYTES - 1)
        at += HEADER_BYTES
      }
      return { rows: chunk.subarray(0, kept), after: undefined }
    },
  }
}

function move(chunk: Buffer, from: number, to: number, length: number): void {
  if (from === to) return
  if (length > SHORT_BYTES) chunk.copyWithin(to, from, from + length)
  else for (let i = 0; i < length; i += 1) chunk[to + i] = chunk[from + i]
}

type Handler = (chunk: Buffer) => void

/** For `client.query`: runs the statement and gives the bytes of its rows. Fails as a query of the client does; whoever leaves early ends the client. */
export function copyOut(statement: string): Readable & pg.Submittable {
  const unframer = createUnframer()
  let socket: pg.Connection['stream'] | undefined
  const stream = new Readable({ highWaterMark: WAITING_BYTES, read: () => void socket?.resume() })
  return Object.assign(stream, {
    submit(connection: pg.Connection): void {
      const on = connection.stream
      // The client's own reader waits until the copy is over: it would make an object of each row.
      const [theirs] = on.listeners('data') as Handler[]
      const ours: Handler = (chunk) => {
        const { rows, after } = unframer.rows(chunk)
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
