/**
 * The files of one stream batch: rows gather in two stages and are written, file by file, to a folder of this
 * batch.
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
  /** Writes the staged rows and waits for the write. */
  flush(): Promise<void>
  /**
   * Closes the batch: its rows leave the stages, and the next batch starts at once. The inner promise brings
   * the durable files: reading continues while they are written and synced.
   */
  finish(): Promise<{ files: Promise<DataFile[]> }>
  /** Drops the batch: its rows and files are lost. */
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
  /** Divides the size of the stages, for a child whose predecessor ran out of memory. */
  share?: number
  /**
   * Called before a file is begun. The next rows then wait until it is written, so that one thing happens at
   * a time.
   */
  beforeWrite?: () => void
}

const OUTCOMES = ['accepted', 'quarantined'] as const
type Outcome = (typeof OUTCOMES)[number]

export async function createBatchWriter(options: WriterOptions): Promise<BatchWriter> {
  const { dataset, engine } = options
  const data = options.columns.map((column): StageColumn => ({
    name: column.name,
    kind: columnKind(column),
    type: deltaType(column),
  }))
  const original: StageColumn[] = dataset.raw.keepOriginal
    ? [{ name: 'original', kind: 'text', type: 'binary' }]
    : []
  return new StagedBatch(options, {
    accepted: await engine.createStage([...data, ...original, ...stagedOrigin(dataset)]),
    quarantined: await engine.createStage([...stagedOrigin(dataset), ...REJECT_COLUMNS]),
  })
}

class StagedBatch implements BatchWriter {
  readonly #options: WriterOptions
  readonly #stages: Record<Outcome, Stage>
  readonly #schema: TableSchema
  readonly #fullBytes: number
  readonly #fullRows: number
  #batch: Batch
  /** Writes wait for each other: DuckDB writes one file at a time, and order is easy to reason about. */
  #writing: Promise<void> = Promise.resolve()
  /**
   * Bytes that left the stages and are not in a file yet. More than one full stage would only hide a slow
   * disk.
   */
  #sealedBytes = 0

  constructor(options: WriterOptions, stages: Record<Outcome, Stage>) {
    const { columns, dataset, share = 1 } = options
    this.#options = options
    this.#stages = stages
    this.#schema = rawSchema(columns)
    this.#fullBytes = stagedBytesFor(columns.length + ORIGIN_COLUMNS.length) / share
    this.#fullRows = Math.max(1, Math.floor(dataset.stream.rowsPerFile / share))
    this.#batch = newBatch(options.nowMs())
  }

  get rows(): number {
    const { accepted, quarantined } = this.#stages
    return accepted.rows + quarantined.rows + this.#batch.files.length
  }

  get stagedBytes(): number {
    return this.#stages.accepted.bytes + this.#stages.quarantined.bytes
  }

  async add(block: BlockResult): Promise<void> {
    for (const outcome of OUTCOMES) this.#stages[outcome].append(block[outcome])
    for (const outcome of OUTCOMES) {
      const { rows, bytes } = this.#stages[outcome]
      if (rows >= this.#fullRows || bytes >= this.#fullBytes) await this.#seal(outcome)
    }
    if (this.#sealedBytes > this.#fullBytes || this.#options.beforeWrite !== undefined) await this.#writing
  }

  async flush(): Promise<void> {
    await this.#sealAll()
    await this.#writing
  }

  async finish(): Promise<{ files: Promise<DataFile[]> }> {
    const { store, nowMs } = this.#options
    await this.#sealAll()
    const { files, id } = this.#batch
    this.#batch = newBatch(nowMs())
    const durable = this.#writing.then(async () => {
      if (files.length > 0) await store.local.sync(files.map((file) => file.path))
      if (files.length > 0) await store.local.dropFolder(privateFolder(id))
      failpoint('batch.prepared')
      return files
    })
    durable.catch(() => undefined)
    return { files: durable }
  }

  async discard(): Promise<void> {
    const { store, nowMs } = this.#options
    for (const stage of Object.values(this.#stages)) await stage.rotate()
    await this.#writing
    const { files, id } = this.#batch
    for (const file of files) await store.delete(file.path)
    if (files.length > 0) await store.local.dropFolder(privateFolder(id))
    this.#batch = newBatch(nowMs())
  }

  async #sealAll(): Promise<void> {
    for (const outcome of OUTCOMES) await this.#seal(outcome)
  }

  /** Turns the staged rows into a file, which is written after those before it. */
  async #seal(outcome: Outcome): Promise<void> {
    const { dataset, store } = this.#options
    const { bytes } = this.#stages[outcome]
    const sealed = await this.#stages[outcome].rotate()
    if (sealed === undefined) return
    this.#options.beforeWrite?.()
    const { files, id, date, ingestTime } = this.#batch
    const partitionValues = { outcome, ingest_date: date }
    const name = `${id}-${files.length}.parquet`
    const path = dataPath(this.#schema.partitionColumns, partitionValues, name)
    const file: DataFile = { path, size: 0, partitionValues, stats: '' }
    files.push(file)
    await store.local.makeFolder(privateFolder(id))
    const derived = derivedOrigin(dataset, { ...this.#options, ingestTime })
    this.#sealedBytes += bytes
    this.#writing = this.#writing.then(async () => {
      const unfinished = `${privateFolder(id)}/${name}`
      const order = fileOrder(this.#schema)
      const { compression } = dataset.raw
      const written = await sealed.write(store.local.path(unfinished), derived, order, compression)
      // A reader of folders, instead of the log, must not see half a file.
      await store.local.move(unfinished, path)
      file.placed = true
      file.size = written.size
      file.stats = written.stats
      this.#sealedBytes -= bytes
    })
    // The next block may fill the stage again while this file is written; an error surfaces at the next
    // await.
    this.#writing.catch(() => undefined)
  }
}

interface Batch {
  /** Names its files and their folder. */
  id: string
  date: string
  ingestTime: string
  files: DataFile[]
}

/** A batch has one ingest time. No other attempt uses its ID. */
function newBatch(nowMs: number): Batch {
  const ingestTime = new Date(nowMs).toISOString()
  const date = ingestTime.slice(0, 10)
  return { id: randomUUID(), date, ingestTime, files: [] }
}

/** Columns of a data file: all except those that the log carries (partition columns). */
function fileOrder(schema: TableSchema): string[] {
  return schema.columns.map((column) => column.name).filter((name) => !schema.partitionColumns.includes(name))
}
