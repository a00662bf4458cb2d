/**
 * Drafts a declaration from an outline of samples: names, the narrowest types that keep each value, and a key
 * that the sample does not disprove. Losses of a trial on the sample come back as `trials`, and the next
 * draft is more careful there.
 */
import type { Outline, SampleField } from '../core/outline.ts'
import { createColumnNames } from './column-names.ts'
import type { RecordFormat, ScalarType } from './declaration.ts'
import {
  inferKey,
  inferPartition,
  type KeyCandidate,
  type KeyDraft,
  type PartitionDraft,
} from './infer-key.ts'
import { inferType, type TypeDraft } from './infer-type.ts'

export { inferType } from './infer-type.ts'

/** The results of trials of earlier drafts, by the path of the column. */
export interface Trials {
  barred: Map<string, Set<ScalarType>>
  /** Arrays that are kept as their JSON text. */
  asText: Set<string>
}

export interface DraftInput {
  name: string
  source: Record<string, unknown>
  format: RecordFormat
  /** Settings of the record that come from the file, not from its outline: encoding. */
  record: Record<string, unknown>
  outline: Outline
  trials: Trials
}

export interface DraftColumn {
  /** As in the declaration. */
  settings: Record<string, unknown>
  type: TypeDraft
  /** Its field in the form that was typed: an array that is kept as text is one value. */
  field: SampleField
  /** Of an array of objects. */
  fields: DraftColumn[] | undefined
  notes: string[]
}

export interface Draft {
  declaration: Record<string, unknown>
  columns: DraftColumn[]
  key: KeyDraft
  partition: PartitionDraft | undefined
  records: number
}

/** With fewer records, a column may have all its values by chance. */
const RECORDS_TO_REQUIRE = 20

export function createTrials(): Trials {
  return { barred: new Map(), asText: new Set() }
}

export function draftDataset(input: DraftInput): Draft {
  const { outline, format } = input
  const nameOf = createColumnNames()
  const columns = outline.fields.map((field, i) =>
    draftColumn(field, nameOf(field.names, i + 1), outline.records, input.trials),
  )
  const candidates = columns.map((column, position) => candidateOf(column, position, outline.records))
  const key = inferKey(candidates, outline.records)
  const partition = key.key.length === 0 ? undefined : inferPartition(candidates, outline.records)
  for (const column of columns) if (isRequired(column, key, outline.records)) column.settings.required = true
  const record = {
    format,
    ...(outline.record === '' ? {} : { path: outline.record }),
    ...outline.settings,
    ...input.record,
  }
  const processed =
    key.key.length === 0
      ? {}
      : {
          processed: {
            key: key.key,
            ...(partition === undefined ? {} : { partition_by: [partitionSetting(partition)] }),
          },
        }
  const declaration = {
    dataset: input.name,
    source: input.source,
    record,
    columns: columns.map((column) => column.settings),
    drift: 'freeze',
    ...processed,
  }
  return { declaration, columns, key, partition, records: outline.records }
}

function partitionSetting({ column, transform }: PartitionDraft): Record<string, string> {
  return transform === 'identity' ? { column } : { column, transform }
}

function draftColumn(
  found: SampleField,
  { name, lost }: { name: string; lost: boolean },
  records: number,
  trials: Trials,
): DraftColumn {
  const field = trials.asText.has(found.path) && found.whole !== undefined ? asText(found) : found
  const fields = field.fields === undefined ? undefined : subColumns(field, trials)
  const type: TypeDraft =
    fields === undefined
      ? inferType(field.values, { writing: field.writing, name, barred: trials.barred.get(found.path) })
      : { type: 'string', settings: {}, notes: [] }
  const settings: Record<string, unknown> = {
    name,
    ...(field.path === name ? {} : { path: field.path }),
    type: type.type,
    ...type.settings,
  }
  if (field.lists !== undefined) settings.array = true
  if (fields !== undefined) settings.fields = fields.map((sub) => sub.settings)
  const original = field.names.join(' / ')
  if (lost && original !== '') settings.description = original
  const notes = [...type.notes, ...field.notes, ...countNotes(field, records)]
  return { settings, type, field, fields, notes }
}

/** Notes on a column that has a value in only some or none of the records. */
function countNotes({ lists, values, notes }: SampleField, records: number): string[] {
  const seen = lists?.rows.length ?? values.length
  if (seen >= records) return []
  if (seen > 0)
    return [`seen in ${seen.toLocaleString('en-US')} of ${records.toLocaleString('en-US')} records`]
  return notes.length === 0 ? ['no value in the sample'] : []
}

function asText(field: SampleField): SampleField {
  return {
    ...field,
    ...field.whole,
    writing: 'json',
    lists: undefined,
    fields: undefined,
    whole: undefined,
    notes: ['kept as JSON text: as an array, values of the sample would change'],
  }
}

/** An item without a sub-field has null there. */
function subColumns(array: SampleField, trials: Trials): DraftColumn[] {
  const nameOf = createColumnNames()
  return (array.fields ?? []).map((field, i) => {
    const column = draftColumn(
      { ...field, path: `${array.path} ${field.path}` },
      nameOf(field.names, i + 1),
      0,
      trials,
    )
    const path = field.path === column.settings.name ? {} : { path: field.path }
    const { path: _, name, ...others } = column.settings
    return { ...column, settings: { name, ...path, ...others } }
  })
}

function candidateOf(column: DraftColumn, position: number, records: number): KeyCandidate {
  const { field, type, settings } = column
  const isFull =
    field.lists === undefined && field.writing !== 'json' && field.rows.length === records && !hasNull(column)
  return {
    name: settings.name as string,
    type: type.type,
    format: (type.settings.format as string | undefined) ?? 'iso',
    position,
    values: isFull ? field.values : undefined,
  }
}

/** An empty text is null, unless the column keeps empty texts. In a key, it is never a value. */
function hasNull({ field }: DraftColumn): boolean {
  return field.values.some((value) => value.trim() === '')
}

function isRequired(column: DraftColumn, key: KeyDraft, records: number): boolean {
  const { field } = column
  if (key.key.includes(column.settings.name as string)) return true
  return (
    records >= RECORDS_TO_REQUIRE &&
    field.lists === undefined &&
    field.rows.length === records &&
    !hasNull(column)
  )
}
