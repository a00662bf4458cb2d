/** The identity of a message (its key or a header), and the window that drops what a producer sent twice. */
import { crc32 } from 'node:zlib'
import { isUtf8 } from 'node:buffer'
import type { VisitMessageId } from '../core/engine.ts'
import type { Messages } from '../core/messages.ts'
import { appendText } from '../core/slab.ts'
import type { Dataset } from '../dataset/declaration.ts'
import {
  createDedupWindow,
  hashBytes,
  hashHigh,
  hashLow,
  type DedupWindow,
  type Sighting,
} from '../planning/dedup-window.ts'
import type { MessageIds } from './row-columns.ts'

export interface MessageIdentifier {
  readonly ids: MessageIds
  /** Finds the identities of all messages of a block, and checks whether keys can be stored as text. */
  identify(messages: Messages): void
  see(messages: Messages, index: number): Sighting
  /** The same for a message whose hashes alone are known: 64 bits of its identity, 32 of its content. */
  seeHash(partition: number, high: number, low: number, content: number): Sighting
  /** Remembers an identity from RAW: the first `length` bytes. */
  remember: VisitMessageId
  /** Forgets all identities. */
  forget(): void
  windowBytes(): number
  windowMessages(): number
}

export function createIdentifier(dataset: Dataset, capacity: number): MessageIdentifier {
  const windows = new Map<number, DedupWindow>()
  const ids: MessageIds = { start: new Int32Array(0), length: new Int32Array(0), hash: new Int32Array(0) }
  const windowOf = (partition: number): DedupWindow => {
    let window = windows.get(partition)
    if (window === undefined) windows.set(partition, (window = createDedupWindow(capacity)))
    return window
  }
  return {
    ids,
    identify(m) {
      if (ids.start.length < m.count)
        for (const key of ['start', 'length', 'hash'] as const) ids[key] = new Int32Array(m.count * 2)
      for (let i = 0; i < m.count; i += 1) {
        escapeKey(m, i)
        locate(dataset, m, ids, i)
        const { bytes } = m.slab
        ids.hash[i] =
          m.valueLength[i] > 0
            ? crc32(bytes.subarray(m.valueStart[i], m.valueStart[i] + m.valueLength[i])) | 0
            : 0
      }
    },
    see(m, i) {
      if (ids.length[i] < 0 || capacity === 0) return 'new'
      hashBytes(m.slab.bytes, ids.start[i], ids.length[i])
      return windowOf(m.partition[i]).see(hashHigh, hashLow, ids.hash[i])
    },
    seeHash: (partition, high, low, content) => windowOf(partition).see(high, low, content),
    remember(partition, bytes, length, contentHash) {
      hashBytes(bytes, 0, length)
      windowOf(partition).see(hashHigh, hashLow, contentHash)
    },
    forget: () => windows.clear(),
    windowBytes: () => [...windows.values()].reduce((sum, window) => sum + window.bytes, 0),
    windowMessages: () => [...windows.values()].reduce((sum, window) => sum + window.size, 0),
  }
}

/**
 * Keys are bytes; RAW stores them as text. A key that is not UTF-8 is stored as base64, so nothing is lost.
 */
function escapeKey(m: Messages, i: number): void {
  const length = m.keyLength[i]
  if (length <= 0) return
  const b = m.slab.bytes
  const start = m.keyStart[i]
  let high = 0
  for (let at = start; at < start + length; at += 1) high |= b[at]
  if (high < 0x80) return
  const key = b.subarray(start, start + length)
  if (isUtf8(key)) return
  m.keyStart[i] = appendText(m.slab, `base64:${key.toString('base64')}`)
  m.keyLength[i] = m.slab.end - m.keyStart[i]
}

function locate(dataset: Dataset, m: Messages, ids: MessageIds, i: number): void {
  ids.length[i] = -1
  if (dataset.messageId.from === 'key') {
    ids.start[i] = m.keyStart[i]
    ids.length[i] = m.keyLength[i]
  } else if (dataset.messageId.from === 'header' && m.headersLength[i] > 0) {
    const { bytes } = m.slab
    const headers = JSON.parse(
      bytes.toString('utf8', m.headersStart[i], m.headersStart[i] + m.headersLength[i]),
    ) as [string, string | null][]
    const value = headers.find(([name]) => name === dataset.messageId.header)?.[1]
    if (value === undefined || value === null) return
    ids.start[i] = appendText(m.slab, value)
    ids.length[i] = m.slab.end - ids.start[i]
  }
}
