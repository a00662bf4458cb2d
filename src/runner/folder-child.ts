/** The child of a stream job over a watched folder. A file is one message; its number is the offset, its path the message id. */
import { fileMark } from '../core/marks.ts'
import { LIMITS } from '../core/limits.ts'
import type { FileSource, SourceFile } from '../core/file-source.ts'
import { clearMessages, createMessages, ensureMessages, type Messages } from '../core/messages.ts'
import { emptyCounts, type Counts } from '../core/results.ts'
import { appendBytes, appendText, createSlab } from '../core/slab.ts'
import { EMPTY } from '../formats/document.ts'
import { unpacksToMore } from '../formats/unpack.ts'
import { createBlockProcessor } from './block.ts'
import { createBatchWriter, type BatchWriter } from './batch-writer.ts'
import { documentSettings } from './decoder.ts'
import { scanLargeFile } from './large-file.ts'
import { createIdentifier } from './message-ids.ts'
import type { ChildParts } from './stream-child.ts'
import type { Prepared } from './protocol.ts'
import { pause } from './waiting.ts'

export interface FolderParts extends Omit<ChildParts, 'openReader' | 'rawFiles' | 'rawFilesInOrder'> {
  source: FileSource
  marks: ReadonlyMap<string, number>
  pollMs: number
}

interface FolderState {
  next: number
  start: number
  counts: Counts
  files: Record<string, number>
  newestMs: number
  cut: boolean
  reported: boolean
  stopping: boolean
  wake: () => void
}

export async function runFolderChild(parts: FolderParts): Promise<void> {
  const { settings, dataset, columns } = parts
  const identifier = createIdentifier(dataset, 0)
  const processor = createBlockProcessor({ dataset, columns, identifier, poison: new Set(settings.poison.map((one) => `${one.partition}:${one.offset}`)) })
  const writer = await createBatchWriter({ ...parts, topic: settings.topic, topicId: settings.topicId })
  const { next } = settings.positions[0]
  const state: FolderState = { next, start: next, counts: emptyCounts(), files: {}, newestMs: 0, cut: false, reported: false, stopping: false, wake: () => undefined }
  listen(parts, state)
  parts.send({ type: 'ready' })
  const heartbeat = setInterval(() => parts.send({ type: 'alive', rssBytes: process.memoryUsage.rss(), heapBytes: 0, ends: [], positions: [[0, state.next]], windowBytes: 0, windowMessages: 0 }), LIMITS.childHeartbeatMs)
  const messages = createMessages(createSlab(LIMITS.slabBytes * 2), 1024)
  const known = new Set<string>()
  try {
    while (!state.stopping) {
      const { complete, growing } = await parts.source.list()
      const waiting = complete.filter((file) => !known.has(file.name) && !parts.marks.has(fileMark(file.name)))
      if (waiting.length === 0) await rest(parts, state, writer, growing)
      for (const file of waiting) {
        if (state.stopping) break
        await reportIfAsked(parts, state, writer)
        known.add(file.name)
        const drift = await takeFile(parts, { state, processor, writer, messages }, file)
        if (drift.length > 0) return parts.send({ type: 'drift', paths: drift })
        parts.send({ type: 'pending', rows: writer.rows })
      }
    }
  } finally {
    clearInterval(heartbeat)
  }
}

function listen(parts: FolderParts, state: FolderState): void {
  parts.onMessage((message) => {
    if (message.type === 'cut') state.cut = true
    else if (message.type === 'committed') state.reported = false
    else if (message.type === 'stop') state.stopping = true
    state.wake()
  })
}

/** Nothing new: report what is staged, then say so (unless a file is still on its way) and wait. */
async function rest(parts: FolderParts, state: FolderState, writer: BatchWriter, growing: number): Promise<void> {
  await reportIfAsked(parts, state, writer)
  if (growing === 0 && !state.reported) parts.send({ type: state.next === state.start ? 'idle' : 'all-read' })
  await pause(parts.pollMs, undefined, state)
}

async function reportIfAsked(parts: FolderParts, state: FolderState, writer: BatchWriter): Promise<void> {
  if (!state.cut || state.reported) return
  state.cut = false
  state.reported = true
  parts.send({ type: 'prepared', batch: await prepare(state, writer) })
}

async function prepare(state: FolderState, writer: BatchWriter): Promise<Prepared> {
  const { start, next, counts, files, newestMs } = state
  Object.assign(state, { start: next, counts: emptyCounts(), files: {}, newestMs: 0 })
  const ranges = next === start ? [] : [{ partition: 0, start, next }]
  return { ranges, adds: await (await writer.finish()).files, counts, newestMs, files }
}

type Processor = ReturnType<typeof createBlockProcessor>

interface Work {
  state: FolderState
  processor: Processor
  writer: BatchWriter
  messages: Messages
}

/** A file of the size of a message is one; a larger one, or one that unpacks to more, goes through in windows. */
async function takeFile(parts: FolderParts, work: Work, file: SourceFile): Promise<string[]> {
  const isRead = (): Promise<string[]> => takeLarge(parts, work.state, work.processor, work.writer, work.messages, file)
  if (file.size > LIMITS.recordBytes) return isRead()
  const bytes = await parts.source.read(file)
  return unpacksToMore(bytes, LIMITS.recordBytes) ? isRead() : takeSmall(parts, work, file, bytes)
}

async function takeSmall(parts: FolderParts, { state, processor, writer, messages }: Work, file: SourceFile, bytes: Buffer): Promise<string[]> {
  const hash = parts.source.newContentMark()
  hash.update(bytes)
  addMessage(messages, state.next, file, bytes)
  // A message without a value says that its key is deleted. A file without content is a mistake.
  const isEmpty = bytes.length === 0 && !documentSettings(parts.dataset).mayBeEmpty
  const block = isEmpty ? processor.reject(messages, EMPTY, state.counts) : processor.process(messages, state.counts, undefined)
  if (block.discovered.size > 0) return [...block.discovered]
  await writer.add(block)
  taken(state, file, hash.value())
  return []
}

/** A large file begins with an empty batch, so that a fault at its end can take all of its rows back. */
async function takeLarge(parts: FolderParts, state: FolderState, processor: Processor, writer: BatchWriter, messages: Messages, file: SourceFile): Promise<string[]> {
  while (state.next !== state.start || state.reported) {
    await reportIfAsked(parts, state, writer)
    await pause(20)
    if (state.stopping) return []
  }
  const hash = parts.source.newContentMark()
  const discovered = new Set<string>()
  const counts = emptyCounts()
  addMessage(messages, state.next, file, Buffer.alloc(0))
  const fault = await scanLargeFile(parts.dataset, parts.columns, hashed(parts.source.chunks(file), hash), async (slab, scanner) => {
    const block = processor.processRecords(messages, slab, scanner, counts)
    for (const path of block.discovered) discovered.add(path)
    await writer.add(block)
  })
  if (discovered.size > 0) {
    await writer.discard()
    return [...discovered]
  }
  if (fault === undefined) Object.assign(state, { counts: { ...counts, messages: 1, bytes: file.size } })
  else {
    await writer.discard()
    await writer.add(processor.reject(messages, fault, state.counts))
  }
  taken(state, file, hash.value())
  return []
}

async function* hashed(chunks: AsyncIterable<Buffer>, hash: { update(bytes: Buffer): void }): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    hash.update(chunk)
    yield chunk
  }
}

function taken(state: FolderState, file: SourceFile, mark: number): void {
  state.files[file.name] = mark
  state.next += 1
  if (file.modifiedMs > state.newestMs) state.newestMs = file.modifiedMs
}

function addMessage(messages: Messages, offset: number, file: SourceFile, bytes: Buffer): void {
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
