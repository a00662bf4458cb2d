/**
 * The files of one stream batch: rows gather in two stages and are written, file by file, in a folder of the
 * batch's own.
 */
import { randomUUID } from 'node:crypto'
import { failpoint } from '../core/failpoint.ts'
import type { Stage, StageColumn, StageEngine } from '../core/engine.ts'
import { dataPath, privateFolder } from '../core/data-path.ts'
import type { ObjectStore } from '../core/object-store.ts'
import type { DataFile, TableSchema } from '../core/table-schema.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import { ORIGIN_COLUMNS, REJECT_COLUMNS } from '../core/raw-columns.ts'
import { stagedBytesFor } from '../core/width.ts'
import { deltaType, rawSchema } from '../planning/table-layout.ts'
import { columnKind } from '../quality/column-check.ts'
import type { BlockResult } from './block.ts'
import { derivedOrigin, stagedOrigin } from './row-columns.ts'

export interface BatchWriter {
  readonly rows: number
  readonly stagedBytes: number
  add(block: BlockResult): Promise<void>
  /** Writes what is staged and waits for it. */
  flush(): Promise<void>
  /**
   * Closes the batch: what is staged leaves the stages, and the next batch begins at once. The files,
   * durable, come with the inner promise: reading goes on while they are written and synced.
   */
  finish(): Promise<{ files: Promise<DataFile[]> }>
  /** Forgets the batch: its rows and files are nobody's. */
  discard(): Promise<void>
}

export interface WriterOptions {
  dataset: Dataset
  columns: Column[]
  engine: StageEngine
  store: ObjectStore
  topic: string
  topicId: string
  nowMs: () => number
  /** What is staged is divided by this: for a child whose predecessor ran out of memory. */
  share?: number
  /**
   * Called before a file is begun; the next rows then wait until it is written, so that one thing happens at
   * a time.
   */
  beforeWrite?: () => void
}

type Outcome = 'accepted' | 'quarantined'

export async function createBatchWriter(options: WriterOptions): Promise<BatchWriter> {
  const { dataset, engine, store } = options
  const data = options.columns.map((column): StageColumn => ({
    name: column.name,
    kind: columnKind(column),
    type: deltaType(column),
  }))
  const original: StageColumn[] = dataset.raw.keepOriginal
    ? [{ name: 'original', kind: 'text', type: 'binary' }]
    : []
  const stages: Record<Outcome, Stage> = {
    accepted: await engine.createStage([...data, ...original, ...stagedOrigin(dataset)]),
    quarantined: await engine.createStage([...stagedOrigin(dataset), ...REJECT_COLUMNS]),
  }
  const schema = rawSchema(options.columns)
  const fullBytes = stagedBytesFor(data.length + ORIGIN_COLUMNS.length) / (options.share ?? 1)
  const fullRows = Math.max(1, Math.floor(dataset.stream.rowsPerFile / (options.share ?? 1)))
  let batch = newBatch(options.nowMs())
  /** Writes wait for each other: DuckDB makes one file at a time, and order is easy to reason about. */
  let writing: Promise<void> = Promise.resolve()
  /**
   * Bytes that left the stages and are not in a file yet: more than one full stage would only hide a disk
   * that is too slow.
   */
  let sealedBytes = 0

  const seal = async (outcome: Outcome): Promise<void> => {
    const { bytes } = stages[outcome]
    const sealed = await stages[outcome].rotate()
    if (sealed === undefined) return
    options.beforeWrite?.()
    const { files, id, date } = batch
    const partitionValues = { outcome, ingest_date: date }
    const file = `${id}-${files.length}.parquet`
    const path = dataPath(schema.partitionColumns, partitionValues, file)
    files.push({ path, size: 0, partitionValues, stats: '' })
    const slot = files[files.length - 1]
    await store.makeFolder(privateFolder(id))
    const derived = derivedOrigin(dataset, { ...options, ingestTime: batch.ingestTime })
    sealedBytes += bytes
    writing = writing.then(async () => {
      const unfinished = `${privateFolder(id)}/${file}`
      const written = await sealed.write(
        store.localPath(unfinished),
        derived,
        fileOrder(schema),
        dataset.raw.compression,
      )
      // Whole: who reads folders, and not the log, sees no half of a file.
      await store.move(unfinished, path)
      slot.placed = true
      slot.size = written.size
      slot.stats = written.stats
      sealedBytes -= bytes
    })
    // The next block may fill the stage again while this file is written; an error surfaces at the next
    // await.
    writing.catch(() => undefined)
  }

  return {
    get rows() {
      return stages.accepted.rows + stages.quarantined.rows + batch.files.length
    },
    get stagedBytes() {
      return stages.accepted.bytes + stages.quarantined.bytes
    },
    async add(block) {
      stages.accepted.append(block.accepted)
      stages.quarantined.append(block.quarantined)
      for (const outcome of ['accepted', 'quarantined'] as const)
        if (stages[outcome].rows >= fullRows || stages[outcome].bytes >= fullBytes) await seal(outcome)
      if (sealedBytes > fullBytes || options.beforeWrite !== undefined) await writing
    },
    async flush() {
      await seal('accepted')
      await seal('quarantined')
      await writing
    },
    async finish() {
      await seal('accepted')
      await seal('quarantined')
      const { files, id } = batch
      batch = newBatch(options.nowMs())
      const durable = writing.then(async () => {
        if (files.length > 0) await store.sync(files.map((file) => file.path))
        if (files.length > 0) await store.dropFolder(privateFolder(id))
        failpoint('batch.prepared')
        return files
      })
      durable.catch(() => undefined)
      return { files: durable }
    },
    async discard() {
      for (const stage of Object.values(stages)) await stage.rotate()
      await writing
      for (const file of batch.files) await store.delete(file.path)
      if (batch.files.length > 0) await store.dropFolder(privateFolder(batch.id))
      batch = newBatch(options.nowMs())
    },
  }
}

interface Batch {
  /** Names its files and the folder where they are written. */
  id: string
  date: string
  ingestTime: string
  files: DataFile[]
}

/** A batch has one ingest time, and its id is used by nobody else: a later attempt takes another one. */
function newBatch(nowMs: number): Batch {
  const ingestTime = new Date(nowMs).toISOString()
  const date = ingestTime.slice(0, 10)
  return { id: randomUUID(), date, ingestTime, files: [] }
}

/** Columns of a data file: all but those that the log carries (partition columns). */
function fileOrder(schema: TableSchema): string[] {
  return schema.columns.map((column) => column.name).filter((name) => !schema.partitionColumns.includes(name))
}
