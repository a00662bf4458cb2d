/** Files of a watched folder as messages, and the search for new fields in several of them. */
import type { SourceFile } from '../core/file-source.ts'
import { LIMITS } from '../core/limits.ts'
import { clearMessages, ensureMessages, type Messages } from '../core/messages.ts'
import { appendBytes, appendText } from '../core/slab.ts'

const DRIFT_SEARCH_MS = 1_000

/**
 * Each file may have its own new field: the files of the next second are searched before columns are
 * requested, instead of one file per restart.
 */
export function createDriftSearch(nowMs: () => number): {
  readonly began: boolean
  add(paths: string[]): void
  isOver(): boolean
  paths(): string[]
} {
  const found = new Set<string>()
  let end = Infinity
  return {
    get began() {
      return found.size > 0
    },
    add(paths) {
      for (const path of paths) found.add(path)
      if (found.size > 0) end = Math.min(end, nowMs() + DRIFT_SEARCH_MS)
    },
    isOver: () => nowMs() > end || found.size > LIMITS.evolvedColumns,
    paths: () => [...found],
  }
}

export async function* hashed(
  chunks: AsyncIterable<Buffer>,
  hash: { update(bytes: Buffer): void },
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    hash.update(chunk)
    yield chunk
  }
}

export async function* piecewise(chunks: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  for await (const chunk of chunks)
    for (let at = 0; at < chunk.length; at += bytes) yield chunk.subarray(at, at + bytes)
}

export function addMessage(messages: Messages, offset: number, file: SourceFile, bytes: Buffer): void {
  clearMessages(messages)
  ensureMessages(messages, 1)
  const { slab } = messages
  messages.partition[0] = 0
  messages.offset[0] = offset
  messages.time[0] = file.modifiedMs
  messages.keyStart[0] = appendText(slab, file.name)
  messages.keyLength[0] = slab.end - messages.keyStart[0]
  messages.valueStart[0] = appendBytes(slab, bytes)
  messages.valueLength[0] = bytes.length
  messages.headersLength[0] = 0
  messages.count = 1
}
