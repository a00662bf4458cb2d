/**
 * Checkpoints: the state of a table as one Parquet file, so that opening it does not replay every entry since
 * the beginning. A checkpoint is due by the size of the log since the last one, not every ten entries: a
 * stream commits each second.
 */
import { parquetReadObjects, type AsyncBuffer, type SchemaElement } from 'hyparquet'
import { ByteWriter, parquetWrite } from 'hyparquet-writer'
import { failure } from '../core/errors.ts'
import { failpoint } from '../core/failpoint.ts'
import type { ObjectStore } from '../core/object-store.ts'
import { asLogged, checkpointName, spelledAlike, type Action } from './actions.ts'
import type { Snapshot } from './snapshot.ts'
import type { Checkpoint } from './log-files.ts'

const POINTER = '_delta_log/_last_checkpoint'
/**
 * How long removed files are remembered, unless delta.deletedFileRetentionDuration is set: as long as vacuum
 * spares them by default. A stream with a commit per second removes 86,400 files a day; Delta's default of a
 * week would fill most of each checkpoint.
 */
const TOMBSTONE_MS = 86_400_000

const utf8 = (name: string, repetition: 'REQUIRED' | 'OPTIONAL' = 'OPTIONAL'): SchemaElement => ({
  name,
  type: 'BYTE_ARRAY',
  converted_type: 'UTF8',
  repetition_type: repetition,
})
const int64 = (name: string): SchemaElement => ({ name, type: 'INT64', repetition_type: 'OPTIONAL' })
const int32 = (name: string): SchemaElement => ({ name, type: 'INT32', repetition_type: 'OPTIONAL' })
const flag = (name: string): SchemaElement => ({ name, type: 'BOOLEAN', repetition_type: 'OPTIONAL' })
const group = (name: string, ...children: SchemaElement[][]): SchemaElement[] => [
  { name, num_children: children.length, repetition_type: 'OPTIONAL' },
  ...children.flat(),
]
const map = (name: string): SchemaElement[] => [
  { name, num_children: 1, converted_type: 'MAP', repetition_type: 'OPTIONAL' },
  { name: 'key_value', num_children: 2, repetition_type: 'REPEATED' },
  utf8('key', 'REQUIRED'),
  utf8('value'),
]
const list = (name: string): SchemaElement[] => [
  { name, num_children: 1, converted_type: 'LIST', repetition_type: 'OPTIONAL' },
  { name: 'list', num_children: 1, repetition_type: 'REPEATED' },
  utf8('element'),
]

/** Delta protocol, "Checkpoint Schema", the columns of reader 1 and writer 2. */
const SCHEMA: SchemaElement[] = [
  { name: 'root', num_children: 5 },
  ...group('txn', [utf8('appId')], [int64('version')], [int64('lastUpdated')]),
  ...group(
    'add',
    [utf8('path')],
    map('partitionValues'),
    [int64('size')],
    [int64('modificationTime')],
    [flag('dataChange')],
    [utf8('stats')],
    map('tags'),
  ),
  ...group(
    'remove',
    [utf8('path')],
    [int64('deletionTimestamp')],
    [flag('dataChange')],
    [flag('extendedFileMetadata')],
    map('partitionValues'),
    [int64('size')],
  ),
  ...group(
    'metaData',
    [utf8('id')],
    [utf8('name')],
    [utf8('description')],
    group('format', [utf8('provider')], map('options')),
    [utf8('schemaString')],
    list('partitionColumns'),
    map('configuration'),
    [int64('createdTime')],
  ),
  ...group('protocol', [int32('minReaderVersion')], [int32('minWriterVersion')]),
]

const COLUMNS = ['txn', 'add', 'remove', 'metaData', 'protocol'] as const

/**
 * Writes the checkpoint of a snapshot and points readers to it. Safe to repeat. Readers without it replay
 * entries.
 */
export async function writeCheckpoint(store: ObjectStore, snapshot: Snapshot): Promise<void> {
  await loadTombstones(store, snapshot)
  const rows = checkpointRows(snapshot)
  const writer = new ByteWriter()
  const columnData = COLUMNS.map((name) => ({ name, data: rows.map((row) => row[name] ?? null) }))
  parquetWrite({ writer, schema: SCHEMA, columnData, statistics: false })
  const bytes = new Uint8Array(writer.getBuffer())
  await store.write(checkpointName(snapshot.version), bytes)
  failpoint('checkpoint.written')
  const pointer = {
    version: snapshot.version,
    size: rows.length,
    sizeInBytes: bytes.length,
    numOfAddFiles: snapshot.files.size,
  }
  await store.write(POINTER, Buffer.from(JSON.stringify(pointer)))
  failpoint('checkpoint.pointed')
}

function checkpointRows(snapshot: Snapshot): Record<string, unknown>[] {
  forgetTombstones(snapshot)
  return [
    { protocol: snapshot.protocol },
    { metaData: { ...snapshot.metadata, createdTime: bigintOrNull(snapshot.metadata.createdTime) } },
    ...[...snapshot.marks].map(([appId, version]) => ({
      txn: { appId, version: BigInt(version), lastUpdated: BigInt(snapshot.timestampMs) },
    })),
    ...[...snapshot.files.values()].map((add) => ({
      add: {
        ...asLogged(add),
        size: BigInt(add.size),
        modificationTime: BigInt(add.modificationTime),
        dataChange: false,
      },
    })),
    ...[...snapshot.tombstones.values()].map((remove) => ({
      remove: {
        ...asLogged(remove),
        deletionTimestamp: bigintOrNull(remove.deletionTimestamp),
        size: bigintOrNull(remove.size),
        dataChange: false,
      },
    })),
  ]
}

/** Also keeps a process that runs for weeks from remembering every file that ever existed. */
function forgetTombstones(snapshot: Snapshot): void {
  const oldest =
    snapshot.timestampMs -
    (durationMs(snapshot.metadata.configuration['delta.deletedFileRetentionDuration']) ?? TOMBSTONE_MS)
  for (const [path, remove] of snapshot.tombstones)
    if ((remove.deletionTimestamp ?? 0) <= oldest) snapshot.tombstones.delete(path)
}

const UNIT_MS: Record<string, number> = {
  week: 604_800_000,
  day: 86_400_000,
  hour: 3_600_000,
  minute: 60_000,
  second: 1_000,
  millisecond: 1,
  microsecond: 0.001,
}

/**
 * The duration of a table property in milliseconds, as Spark reads it: `interval 1 week 2 days`, `30 days`.
 * Undefined without the property. An unreadable value keeps everything, because nothing states a lower bound.
 */
export function durationMs(setting: string | undefined): number | undefined {
  if (setting === undefined) return undefined
  const parts = [...setting.toLowerCase().matchAll(/(\d+)\s+([a-z]+?)s?(?=\s|$)/g)]
  const isRead =
    /^\s*(interval\s+)?(\d+\s+[a-z]+\s*)+$/i.test(setting) && parts.every(([, , unit]) => unit in UNIT_MS)
  return isRead ? parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNIT_MS[unit], 0) : Infinity
}

function bigintOrNull(value: number | null | undefined): bigint | null {
  return value === null || value === undefined ? null : BigInt(value)
}

/** Version of the newest checkpoint that the pointer names, whatever its form, if any. */
export async function pointedVersion(store: ObjectStore): Promise<number | undefined> {
  const bytes = await store.read(POINTER)
  if (bytes === undefined) return undefined
  try {
    return (JSON.parse(bytes.toString('utf8')) as { version: number }).version
  } catch {
    return undefined
  }
}

/**
 * The checkpoints that we can read among the names of a log's files, oldest first, up to a version. A
 * multi-part checkpoint counts only if all its parts are there. One with a random name (a V2 checkpoint) does
 * not count.
 */
export function checkpointsAmong(names: string[], until = Infinity): Checkpoint[] {
  const found = new Map<string, { version: number; parts: number; names: string[] }>()
  for (const name of names) {
    const [, version, parts] = /\/(\d{20})\.checkpoint\.(?:\d{10}\.(\d{10})\.)?parquet$/.exec(name) ?? []
    if (version === undefined || Number(version) > until) continue
    const key = `${version} ${parts ?? ''}`
    const checkpoint = found.get(key) ?? { version: Number(version), parts: Number(parts ?? 1), names: [] }
    checkpoint.names.push(name)
    found.set(key, checkpoint)
  }
  return [...found.values()]
    .filter((checkpoint) => checkpoint.names.length === checkpoint.parts)
    .map(({ version, names: files }) => ({ version, names: files }))
    .toSorted((a, b) => a.version - b.version)
}

/** Loads the removed files that the snapshot has not read yet. */
export async function loadTombstones(store: ObjectStore, snapshot: Snapshot): Promise<void> {
  if (snapshot.unreadTombstones === undefined) return
  const actions = (await readCheckpoint(store, snapshot.unreadTombstones, ['remove'])) ?? []
  for (const { remove } of actions)
    if (remove !== undefined && !snapshot.files.has(remove.path) && !snapshot.tombstones.has(remove.path))
      snapshot.tombstones.set(remove.path, remove)
  snapshot.unreadTombstones = undefined
}

/** The parts of a state, without removed files. */
const STATE_COLUMNS = ['txn', 'add', 'metaData', 'protocol']

/** Reads these columns of a checkpoint as actions. Undefined if one of its files is missing. */
export async function readCheckpoint(
  store: ObjectStore,
  { version, names }: Checkpoint,
  columns: string[] = STATE_COLUMNS,
): Promise<Action[] | undefined> {
  const actions: Action[] = []
  for (const name of names) {
    const bytes = await store.read(name)
    if (bytes === undefined) return undefined
    try {
      for (const row of await parquetReadObjects({ file: inMemory(bytes), columns }))
        actions.push(spelledAlike(plainValue(row) as Action))
    } catch (error) {
      throw failure(
        'table_corrupt',
        { path: store.root, version, reason: `${name}: ${(error as Error).message}` },
        error,
      )
    }
  }
  return actions
}

function inMemory(bytes: Buffer): AsyncBuffer {
  const memory = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
  return { byteLength: memory.byteLength, slice: (start, end) => memory.slice(start, end) }
}

/**
 * Checkpoints hold 64-bit integers and maps; actions hold numbers and objects. Absent columns are dropped.
 */
function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value))
    return isMap(value)
      ? Object.fromEntries(value.map((pair) => [pair.key, pair.value ?? null]))
      : value.map(plainValue)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null && inner !== undefined)
      .map(([key, inner]) => [key, plainValue(inner)]),
  )
}

function isMap(value: unknown[]): value is { key: string; value: unknown }[] {
  return value.length > 0 && value.every((item) => typeof item === 'object' && item !== null && 'key' in item)
}
