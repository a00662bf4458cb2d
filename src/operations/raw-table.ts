/** Opens (or creates) the RAW table of a dataset, and updates its schema to the declaration. */
import { RESERVED_COLUMNS, type Column, type Dataset } from '../dataset/declaration.ts'
import type { AddAction } from '../lakehouse/actions.ts'
import { columnsOf } from '../lakehouse/snapshot.ts'
import { addTableColumns, openOrCreateTable, type Table } from '../lakehouse/table.ts'
import { effectiveColumns, evolve, rawSchema, schemaChange } from '../planning/table-layout.ts'
import { consumerPositions } from './raw-consumers.ts'
import { openStore } from './stores.ts'

export interface RawTable {
  table: Table
  columns: Column[]
}

/** `processedPath`: for jobs that commit often, so that log clean-up knows what the batch still needs. */
export async function openRaw(
  dataset: Dataset,
  path: string,
  nowMs: number,
  processedPath?: string,
): Promise<RawTable> {
  const store = await openStore(path)
  const table = await openOrCreateTable(
    store,
    {
      schema: rawSchema(dataset.columns),
      configuration: { 'headrace.dataset': dataset.name, 'headrace.zone': 'raw' },
      nowMs,
    },
    {
      usedThrough: async () =>
        processedPath === undefined ? -1 : (await consumerPositions(dataset, processedPath)).used,
    },
  )
  const columns = effectiveColumns(dataset, columnsOf(table.snapshot.metadata))
  await applySchema(dataset, table, columns, nowMs)
  return { table, columns }
}

/** The files of RAW, or of its archive, with rows of this outcome. */
export const filesOf = ({ snapshot }: Table, outcome: 'accepted' | 'quarantined'): AddAction[] =>
  [...snapshot.files.values()].filter(({ partitionValues }) => partitionValues.outcome === outcome)

/** Adds the columns in force that the table lacks. Refuses renames, drops and type changes. */
async function applySchema(dataset: Dataset, table: Table, columns: Column[], nowMs: number): Promise<void> {
  await addTableColumns(
    table,
    (existing) => schemaChange(dataset, existing, rawSchema(columns), table.store.root),
    nowMs,
  )
}

/**
 * Creates nullable columns for the paths that drift found, as many as there is room for, and returns their
 * names. Columns that another writer added meanwhile count: if all paths have columns by then, none is added.
 */
export async function evolveRaw(
  dataset: Dataset,
  raw: RawTable,
  paths: string[],
  nowMs: number,
): Promise<string[]> {
  await raw.table.refresh()
  const added = addColumns(dataset, raw, paths)
  await applySchema(dataset, raw.table, raw.columns, nowMs)
  return added
}

/** The same only in memory, for a run that changes nothing. */
export function addColumns(dataset: Dataset, raw: RawTable, paths: string[]): string[] {
  const existing = columnsOf(raw.table.snapshot.metadata)
  const known = [
    ...effectiveColumns(dataset, existing),
    ...raw.columns.filter(
      (candidate) => candidate.evolved && !existing.some((column) => column.name === candidate.name),
    ),
  ]
  const added = evolve(dataset, known, paths, [...RESERVED_COLUMNS, ...existing.map((column) => column.name)])
  raw.columns.splice(0, raw.columns.length, ...known, ...added)
  return added.map((column) => column.name)
}
