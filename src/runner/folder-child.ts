/**
 * The child of a stream job over a watched folder. A file is one message: its number is the offset, its path
 * the message ID.
 */
import { HeadraceError, reasonOf } from '../core/errors.ts'
import { isFileRead } from '../core/marks.ts'
import { LIMITS } from '../core/limits.ts'
import type { FileSource, SourceFile } from '../core/file-source.ts'
import { createMessages, type Messages } from '../core/messages.ts'
import { emptyCounts, type Counts } from '../core/results.ts'
import { createSlab } from '../core/slab.ts'
import { EMPTY } from '../formats/document.ts'
import { unpacksToMore } from '../formats/unpack.ts'
import { createBlockProcessor, type BlockProcessor } from './block.ts'
import { createBatchWriter, type BatchWriter } from './batch-writer.ts'
import { documentSettings, standsAround } from './decoder.ts'
import { addMessage, createDriftSearch, hashed, piecewise } from './folder-files.ts'
import { createIntake, type Intake } from './intake.ts'
import { scanLargeFile } from './large-file.ts'
import { createIdentifier } from './message-ids.ts'
import { folderOf } from './positions.ts'
import type { ChildParts } from './stream-child.ts'
import type { Prepared, RefusedRecord } from './protocol.ts'
import { pause } from '../core/waiting.ts'

export interface FolderParts extends Omit<ChildParts, 'openReader' | 'filesFrom'> {
  source: FileSource
  marks: ReadonlyMap<string, number>
  pollMs: number
}

interface FolderState {
  next: number
  start: number
  counts: Counts
  files: Record<string, number>
  /** Names of the accepted files, by number. */
  names: Map<number, string>
  newestMs: number
  cut: boolean
  reported: boolean
  stopping: boolean
  wake: () => void
}

/** The stations that a file passes. */
interface Line {
  parts: FolderParts
  state: FolderState
  processor: BlockProcessor
  writer: BatchWriter
  intake: Intake
  messages: Messages
  /** Records that the engine refused, for the current file. The processor looks here. */
  refused: Map<string, ReadonlyMap<number, string>>
}

export async function runFolderChild(parts: FolderParts): Promise<void> {
  const { settings } = parts
  const { next } = settings.positions[0]
  const state: FolderState = {
    next,
    start: next,
    counts: emptyCounts(),
    files: {},
    names: new Map(),
    newestMs: 0,
    cut: false,
    reported: false,
    stopping: false,
    wake: () => undefined,
  }
  listen(parts, state)
  parts.send({ type: 'ready' })
  const heartbeat = setInterval(
    () =>
      parts.send({
        type: 'alive',
        rssBytes: process.memoryUsage.rss(),
        heapBytes: 0,
        ends: [],
        positions: [[0, state.next]],
        windowBytes: 0,
        windowMessages: 0,
      }),
    LIMITS.childHeartbeatMs,
  )
  try {
    await loop(await createLine(parts, state))
  } catch (error) {
    if (error instanceof HeadraceError && error.code === 'rows_refused') nameRows(state, error)
    throw error
  } finally {
    clearInterval(heartbeat)
  }
}

/** The engine knows files by number; the numbers change with the next attempt. */
function nameRows(state: FolderState, { params }: HeadraceError): void {
  for (const row of params.rows as RefusedRecord[]) row.name = state.names.get(row.offset)
}

async function createLine(parts: FolderParts, state: FolderState): Promise<Line> {
  const { settings, dataset, columns } = parts
  const refused = new Map<string, ReadonlyMap<number, string>>()
  const processor = createBlockProcessor({
    dataset,
    columns,
    identifier: createIdentifier(dataset, 0),
    poison: new Map(),
    refused,
  })
  const writer = await createBatchWriter({
    ...parts,
    topic: settings.topic,
    topicId: settings.topicId,
    share: settings.share,
    beforeWrite: settings.careful ? () => intake.beforeWrite() : undefined,
  })
  const intake = createIntake({ ...parts, processor, writer })
  return {
    parts,
    state,
    processor,
    writer,
    refused,
    intake,
    messages: createMessages(createSlab(LIMITS.slabBytes * 2), 1024),
  }
}

async function loop(line: Line): Promise<void> {
  const { parts, state, writer } = line
  const known = new Set<string>()
  const drift = createDriftSearch(parts.nowMs)
  const folder = folderOf(parts.dataset)
  while (!state.stopping) {
    const { complete, growing } = await parts.source.list()
    const waiting = complete.filter(
      (file) => !known.has(file.name) && !isFileRead(parts.marks, folder, file.name),
    )
    if (waiting.length === 0) await pauseUntilNext(parts, state, writer, growing)
    for (const file of waiting) {
      if (state.stopping || drift.isOver()) break
      if (!drift.began) await reportIfAsked(parts, state, writer)
      const { batchMessages } = parts.settings
      if (
        batchMessages > 0 &&
        state.next - state.start >= batchMessages &&
        !(await allCommitted(parts, state, writer))
      )
        break
      known.add(file.name)
      state.names.set(state.next, file.name)
      drift.add(await takeFile(line, file))
      if (!drift.began) parts.send({ type: 'pending', rows: writer.rows })
    }
    if (drift.began) return parts.send({ type: 'drift', paths: drift.paths() })
  }
}

/**
 * Takes a file. Returns the paths that drift wants to add as columns. A file that killed children before is
 * rejected without reading it.
 */
async function takeFile(line: Line, file: SourceFile): Promise<string[]> {
  const { parts, state, processor, writer, messages } = line
  const { settings } = parts
  const poison = settings.poison.find((candidate) => candidate.name === file.name)
  if (poison !== undefined) {
    const small = file.size <= LIMITS.recordBytes
    const hash = parts.source.newContentMark()
    const chunks: Buffer[] = []
    for await (const chunk of hashed(parts.source.chunks(file), hash)) if (small) chunks.push(chunk)
    addMessage(messages, state.next, file, Buffer.concat(chunks))
    await writer.add(processor.reject(messages, poison, state.counts))
    taken(state, file, hash.value())
    return []
  }
  const records = settings.refused.filter((record) => record.name === file.name)
  line.refused.clear()
  if (records.length > 0)
    line.refused.set(`0:${state.next}`, new Map(records.map((record) => [record.ordinal, record.reason])))
  const most = settings.share === 1 ? LIMITS.recordBytes : windowBytes(settings.share)
  const isWhole = mustBeWhole(parts) && file.size <= LIMITS.recordBytes
  return file.size > most && !isWhole ? takeLarge(line, file) : takeSmall(line, file)
}

/** Declared fields outside the records of JSON may follow them in a document that is read whole. */
const mustBeWhole = ({ dataset, columns }: FolderParts): boolean =>
  dataset.record.format === 'json' && columns.some((column) => standsAround('json', column))

function windowBytes(share: number): number {
  return Math.max(4_096, Math.floor(LIMITS.slabBytes / share))
}

function listen(parts: FolderParts, state: FolderState): void {
  parts.onMessage((message) => {
    if (message.type === 'cut') state.cut = true
    else if (message.type === 'committed') state.reported = false
    else if (message.type === 'stop') state.stopping = true
    state.wake()
  })
}

/**
 * Nothing is new: report the staged rows, then that all is read (unless a file is still growing), and wait.
 */
async function pauseUntilNext(
  parts: FolderParts,
  state: FolderState,
  writer: BatchWriter,
  growing: number,
): Promise<void> {
  await reportIfAsked(parts, state, writer)
  if (growing === 0 && !state.reported) parts.send({ type: state.next === state.start ? 'idle' : 'all-read' })
  await pause(parts.pollMs, { sleeper: state })
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

async function takeSmall(line: Line, file: SourceFile): Promise<string[]> {
  const { parts, state, intake, messages, processor, writer } = line
  const bytes = await parts.source.read(file)
  if (unpacksToMore(bytes, LIMITS.recordBytes)) return takeLarge(line, file)
  const hash = parts.source.newContentMark()
  hash.update(bytes)
  addMessage(messages, state.next, file, bytes)
  // A message without a value means that its key is deleted. A file without content is a fault.
  if (bytes.length === 0 && !documentSettings(parts.dataset).mayBeEmpty) {
    await writer.add(processor.reject(messages, EMPTY, state.counts))
    taken(state, file, hash.value())
    return []
  }
  const drift = await intake.take(messages, state.counts, undefined, file.name)
  if (drift.length === 0) taken(state, file, hash.value())
  return drift
}

/** Waits until everything taken so far is committed. False if it is time to stop. */
async function allCommitted(parts: FolderParts, state: FolderState, writer: BatchWriter): Promise<boolean> {
  if (state.next !== state.start) parts.send({ type: 'all-read', bound: true })
  while (state.next !== state.start || state.reported) {
    await reportIfAsked(parts, state, writer)
    await pause(20)
    if (state.stopping) return false
  }
  return true
}

/** A large file starts with an empty batch, so that a fault at its end can remove all of its rows. */
async function takeLarge(
  { parts, state, processor, writer, intake, messages }: Line,
  file: SourceFile,
): Promise<string[]> {
  if (!(await allCommitted(parts, state, writer))) return []
  const { settings, source } = parts
  const hash = source.newContentMark()
  const discovered = new Set<string>()
  const counts = emptyCounts()
  addMessage(messages, state.next, file, Buffer.alloc(0))
  const place = { partition: 0, offset: state.next, name: file.name }
  const bytes = windowBytes(settings.share)
  const chunks = hashed(source.chunks(file), hash)
  intake.say({ doing: 'decode', ...place })
  const scan = scanLargeFile(
    parts,
    settings.share === 1 ? chunks : piecewise(chunks, bytes),
    async (slab, scanner) => {
      const block = processor.processRecords(messages, slab, scanner, counts)
      for (const path of block.discovered) discovered.add(path)
      if (discovered.size === 0) await intake.stage(block, place)
      answerWithin(parts, state)
      intake.say({ doing: 'decode', ...place })
    },
    bytes,
  )
  // An error that one file causes in the decoder stays with that file.
  const fault = await scan.catch((error: unknown) => {
    if (error instanceof HeadraceError) throw error
    return { rule: 'decoder_failed', reason: reasonOf(error) }
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

/**
 * Within a large file there is nothing to commit yet. A supervisor that asks is about to stop, and does not
 * wait for its end.
 */
function answerWithin({ send }: FolderParts, state: FolderState): void {
  if (!state.cut) return
  state.cut = false
  send({ type: 'prepared', batch: { ranges: [], adds: [], counts: emptyCounts(), newestMs: 0 } })
}

function taken(state: FolderState, file: SourceFile, mark: number): void {
  state.files[file.name] = mark
  state.next += 1
  if (file.modifiedMs > state.newestMs) state.newestMs = file.modifiedMs
}
