/**
 * A stream over a folder without processes: the supervisor, the child and the engine of `headrace stream`,
 * with a child that is started within this process. For tests that read hundreds of datasets, where starting
 * processes would be all they do.
 */
import { join } from 'node:path'
import { engineMemoryFor } from '../../src/core/width.ts'
import type { StreamSummary } from '../../src/core/results.ts'
import { checkDataset, mistakeText } from '../../src/dataset/check.ts'
import { openStageEngine } from '../../src/engines/duckdb/stage.ts'
import { decodePath } from '../../src/lakehouse/actions.ts'
import { runFileStream } from '../../src/operations/file-stream.ts'
import { folderSource } from '../../src/operations/folder-source.ts'
import { openRaw } from '../../src/operations/raw-table.ts'
import type { ChildProcess } from '../../src/runner/child-handle.ts'
import { runFolderChild } from '../../src/runner/folder-child.ts'
import type { ChildSettings, ToChild, ToSupervisor } from '../../src/runner/protocol.ts'
import { failedMessage } from '../../src/runner/stream-child.ts'

export interface InnerStream {
  /** The text of a declaration with a folder as source. */
  declaration: string
  /** The folder that is read. */
  folder: string
  /** Where the table and what is spilled go. */
  home: string
  /** 1, or the part of a window that is read at once, as after a child has died of its memory. */
  share: number
}

export interface InnerResult {
  summary: StreamSummary
  /** Files of RAW. */
  files: string[]
}

/** Reads all files of the folder and commits them. */
export async function streamWithin({ declaration, folder, home, share }: InnerStream): Promise<InnerResult> {
  const { dataset, mistakes } = checkDataset(declaration)
  if (dataset === undefined) throw new Error(mistakes.map(mistakeText).join('\n'))
  if (dataset.source.kind === 'files') dataset.source.path = folder
  const rawPath = join(home, 'raw')
  const loaded = {
    dataset,
    path: join(home, 'x.yaml'),
    home,
    rawPath,
    processedPath: join(home, 'processed'),
    archivePath: undefined,
  }
  const nothing = (): void => undefined
  const troubles: string[] = []
  const summary = await runFileStream(loaded, {
    spawn: () => innerChild(home, share),
    spark: undefined,
    untilCaughtUp: true,
    signal: new AbortController().signal,
    observer: {
      committed: nothing,
      alive: nothing,
      evolved: nothing,
      trouble: ({ message }) => void troubles.push(message),
      childDied: ({ reason }) => void troubles.push(reason),
    },
  })
  if (troubles.length > 0) throw new Error(troubles.join('\n'))
  const { table } = await openRaw(dataset, rawPath, Date.now())
  return {
    summary,
    files: [...table.snapshot.files.values()].map((file) => join(rawPath, decodePath(file.path))),
  }
}

/** Messages go through a clone and another turn, as between processes. */
function innerChild(home: string, share: number): ChildProcess {
  let listener: ((message: ToChild) => void) | undefined
  let tell: (message: ToSupervisor) => void = () => undefined
  let end: (reason: string) => void = () => undefined
  const early: ToChild[] = []
  const send = (message: ToSupervisor): void => void setImmediate(() => tell(structuredClone(message)))
  const run = async (settings: ChildSettings): Promise<void> => {
    await runChild({ ...settings, share }, home, send, (handler) => {
      listener = handler
      for (const message of early.splice(0)) handler(message)
    }).catch((error: unknown) => send(failedMessage(error)))
    setImmediate(() => end('exit code 0'))
  }
  return {
    send(message) {
      const copy = structuredClone(message)
      if (copy.type === 'start') void run(copy.settings)
      else if (listener === undefined) early.push(copy)
      else listener(copy)
    },
    kill: () => undefined,
    onMessage: (handler) => void (tell = handler),
    onEnd: (handler) => void (end = handler),
  }
}

type OnMessage = (handler: (message: ToChild) => void) => void

/** As `main/stream-child.ts` wires a child that reads a folder. */
async function runChild(
  settings: ChildSettings,
  home: string,
  send: (message: ToSupervisor) => void,
  onMessage: OnMessage,
): Promise<void> {
  const { dataset } = settings
  const { table, columns } = await openRaw(dataset, settings.rawPath, Date.now())
  const engine = await openStageEngine({
    memoryBytes: engineMemoryFor(columns.length),
    threads: 1,
    spillFolder: join(home, 'spill'),
  })
  const { store, snapshot } = table
  if (dataset.source.kind !== 'files') throw new Error('not a folder')
  await runFolderChild({
    settings,
    dataset,
    columns,
    engine,
    store,
    nowMs: Date.now,
    send,
    onMessage,
    source: folderSource(dataset.source, { quietMs: 0, chunkBytes: 65_536 }),
    marks: snapshot.marks,
    pollMs: 5,
  })
}
