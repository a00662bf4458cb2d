/**
 * The log entry of a commit: the request, applied to the table's state at the moment of the attempt, as
 * actions of the log.
 */
import { randomUUID } from 'node:crypto'
import type { DataFile, TableColumn, TableSchema } from '../core/table-schema.ts'
import {
  ENGINE,
  PROTOCOL,
  asLogged,
  type Action,
  type AddAction,
  type CommitInfo,
  type MetadataAction,
} from './actions.ts'
import { columnsOf, schemaString, type Snapshot } from './snapshot.ts'
import type { CommitRequest } from '../core/commit-request.ts'

/** A request with the name by which its entry can be found in the log. */
export type NamedCommit = CommitRequest & { id: string }

/** The first entry of a table. */
export function creationActions(
  schema: TableSchema,
  configuration: Record<string, string>,
  nowMs: number,
): Action[] {
  const metaData: MetadataAction = {
    id: randomUUID(),
    format: { provider: 'parquet', options: {} },
    schemaString: schemaString(schema.columns),
    partitionColumns: schema.partitionColumns,
    configuration,
    createdTime: nowMs,
  }
  const info = commitInfo('CREATE TABLE', nowMs, {})
  return [{ commitInfo: info }, { protocol: PROTOCOL }, { metaData }]
}

/** The entry of the commit, if it becomes the next one after this state. */
export function commitActions(request: NamedCommit, snapshot: Snapshot, nowMs: number): Action[] {
  const dataChange = request.dataChange ?? true
  return [
    { commitInfo: commitInfo(request.operation, nowMs, request.info ?? {}, request.id) },
    ...schemaActions(request, snapshot),
    ...markActions(request, snapshot, nowMs),
    ...request.removes.map((path) => removal(snapshot.files.get(path) as AddAction, dataChange, nowMs)),
    ...request.adds.map((file) => addition(file, dataChange, nowMs)),
  ]
}

function schemaActions(request: CommitRequest, { metadata }: Snapshot): Action[] {
  const schema = schemaOf(request, columnsOf(metadata))
  if (schema === undefined) return []
  const { columns, partitionColumns } = schema
  return [{ metaData: { ...metadata, schemaString: schemaString(columns), partitionColumns } }]
}

function schemaOf({ schema }: CommitRequest, present: TableColumn[]): TableSchema | undefined {
  if (schema === undefined || typeof schema === 'function') return schema?.(present)
  const names = new Set(schema.columns.map((column) => column.name.toLowerCase()))
  const others = present.filter((column) => !names.has(column.name.toLowerCase()))
  return { ...schema, columns: [...schema.columns, ...others] }
}

function markActions(request: CommitRequest, snapshot: Snapshot, nowMs: number): Action[] {
  const marks = { ...request.marks }
  for (const [mark, amount] of Object.entries(request.counts ?? {}))
    marks[mark] = (snapshot.marks.get(mark) ?? 0) + amount
  return Object.entries(marks).map(([appId, version]) => ({ txn: { appId, version, lastUpdated: nowMs } }))
}

function removal(file: AddAction, dataChange: boolean, nowMs: number): Action {
  const { partitionValues, size } = file
  return {
    remove: {
      path: asLogged(file).path,
      deletionTimestamp: nowMs,
      dataChange,
      extendedFileMetadata: true,
      partitionValues,
      size,
    },
  }
}

function addition(file: DataFile, dataChange: boolean, nowMs: number): Action {
  return {
    add: {
      path: file.path,
      partitionValues: file.partitionValues,
      size: file.size,
      modificationTime: nowMs,
      dataChange: file.dataChange ?? dataChange,
      ...(file.stats === '' ? {} : { stats: file.stats }),
      ...(file.tags === undefined ? {} : { tags: file.tags }),
    },
  }
}

function commitInfo(
  operation: string,
  timestamp: number,
  headrace: Record<string, unknown>,
  txnId: string = randomUUID(),
): CommitInfo {
  return { timestamp, operation, operationParameters: {}, engineInfo: ENGINE, txnId, headrace }
}
