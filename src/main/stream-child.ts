/** Entry point of a stream's child process: connects the parts, and runs until it is stopped. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createKafkaClient } from '../connectors/kafka/client.ts'
import { createKafkaReader } from '../connectors/kafka/source.ts'
import type { CommittedFiles } from '../core/engine.ts'
import { failure, reasonOf } from '../core/errors.ts'
import { armFailpoint, armTrap } from '../core/failpoint.ts'
import { engineMemoryFor } from '../core/width.ts'
import { openStageEngine } from '../engines/duckdb/stage.ts'
import { decodePath, type AddAction } from '../lakehouse/actions.ts'
import { openTable, type Table } from '../lakehouse/table.ts'
import { throughOf } from '../lakehouse/through.ts'
import { runFolderChild } from '../runner/folder-child.ts'
import { failedMessage, runStreamChild } from '../runner/stream-child.ts'
import { isSilent } from '../runner/range-child.ts'
import type { ChildSettings, ToChild, ToSupervisor } from '../runner/protocol.ts'
import { mayArm } from './failpoint-once.ts'
import { folderSource } from '../operations/folder-source.ts'
import { settings as processSettings } from '../host/settings.ts'
import { openRaw } from '../operations/raw-table.ts'
import { executionResolver } from '../net/dial.ts'
import { openStore } from '../operations/stores.ts'

type Handler = (message: ToChild) => void

/** The receiver of messages. Earlier messages are all kept for it: the supervisor waits for an answer. */
let listener: Handler | undefined
const early: ToChild[] = []
const stopped = new AbortController()

process.on('message', (message: ToChild) => {
  if (message.type === 'stop') stopped.abort()
  if (message.type === 'start') void run(message.settings)
  else if (listener === undefined) early.push(message)
  else listener(message)
})
// The supervisor is gone: nobody would commit our files.
process.on('disconnect', () => process.exit(0))
// Signals from a terminal go to the whole group. The supervisor decides when a child ends.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)

function send(message: ToSupervisor): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined)
}

async function run(settings: ChildSettings): Promise<void> {
  const spill = join(settings.home, 'spill', `stream-${process.pid}`)
  const { failpoint_child: failpoint, trap } = processSettings()
  try {
    if (failpoint !== undefined && mayArm() && !armFailpoint(failpoint))
      throw failure('usage', { reason: 'unknown failpoint' })
    if (!armTrap(trap)) throw failure('usage', { reason: 'unknown trap' })
    await runWith(settings, spill)
    process.exitCode = 0
  } catch (error) {
    if (!isSilent(error)) send(failedMessage(error))
    process.exitCode = 1
  } finally {
    await rm(spill, { recursive: true, force: true }).catch(reasonOf)
    // The channel is flushed by the next turn. Open sockets must not keep the process alive.
    setImmediate(() => process.exit())
  }
}

async function runWith(settings: ChildSettings, spill: string): Promise<void> {
  const { dataset } = settings
  const { table, columns } = await openRaw(dataset, settings.rawPath, Date.now())
  const engine = await openStageEngine({
    memoryBytes: engineMemoryFor(columns.length),
    threads: settings.threads,
    spillFolder: spill,
  })
  const { store, snapshot } = table
  const shared = {
    settings,
    dataset,
    columns,
    engine,
    store,
    nowMs: Date.now,
    send,
    onMessage(handler: Handler): void {
      listener = handler
      for (const message of early.splice(0)) handler(message)
    },
  }
  if (dataset.source.kind === 'files') {
    const source = folderSource(dataset.source, { quietMs: FOLDER_QUIET_MS, chunkBytes: CHUNK_BYTES })
    await runFolderChild({ ...shared, source, marks: snapshot.marks, pollMs: FOLDER_POLL_MS })
    return
  }
  if (settings.spark !== undefined) {
    const { runSparkChild } = await import('./spark-child.ts')
    await runSparkChild({
      ...shared,
      stopped: stopped.signal,
      settings: { ...settings, spark: settings.spark },
      raw: { table, columns },
      identities: engine,
      filesFrom: await committedRows(table, settings.archivePath),
    })
    return
  }
  const client = createKafkaClient(dataset.source, executionResolver(processSettings()))
  await runStreamChild({
    ...shared,
    filesFrom: await committedRows(table, settings.archivePath),
    openReader: (positions, until, onTrouble) =>
      createKafkaReader({
        client,
        topic: settings.topic,
        topicId: settings.topicId,
        positions,
        until,
        onTrouble,
      }),
  })
}

/**
 * Files with the identities of committed rows, in RAW and in the archive, that may hold rows from an offset
 * on. Merged or moved files are no longer in the order of their commits.
 */
async function committedRows(
  raw: Table,
  archivePath: string | undefined,
): Promise<(leastOffset: number) => Promise<CommittedFiles>> {
  const archive = archivePath === undefined ? undefined : await openTable(await openStore(archivePath))
  const merged = [...raw.snapshot.files.values()].some((file) => throughOf(file) !== undefined)
  return async (leastOffset) => {
    const paths: string[] = []
    for (const { store, snapshot } of archive === undefined ? [raw] : [archive, raw]) {
      const names = [...snapshot.files.values()]
        .filter((file) => mayHold(file, leastOffset))
        .map((file) => decodePath(file.path))
      await store.local.stage(names)
      paths.push(...names.map((name) => store.local.path(name)))
    }
    return { files: paths, inOrder: !merged && archive === undefined }
  }
}

/** By its statistics: whether a file can hold rows from this offset on, of any Kafka partition. */
function mayHold(file: AddAction, leastOffset: number): boolean {
  const { maxValues } = JSON.parse(file.stats || '{}') as { maxValues?: { kafka_offset?: number } }
  return maxValues?.kafka_offset === undefined || maxValues.kafka_offset >= leastOffset
}

const FOLDER_POLL_MS = 500
const FOLDER_QUIET_MS = 1_000
const CHUNK_BYTES = 1024 * 1024
