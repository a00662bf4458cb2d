/**
 * Tries a draft on its own sample: the real decoder and the real checks read the sample in memory. Each
 * resulting value is compared with the text that the outline, independently, found there. Values that change
 * or are rejected are reported by column.
 */
import { ensureRows } from '../core/rows.ts'
import type { SampleField } from '../core/outline.ts'
import { appendText, createSlab, reserve, type Slab } from '../core/slab.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import { plainNumber } from '../dataset/infer-number.ts'
import { instantOf } from '../dataset/infer-temporal.ts'
import { trimmed } from '../dataset/infer-type.ts'
import { isFault, readJsonValue, sameJson, type JsonNode } from '../formats/json/sample.ts'
import { compileChecks, type Reject } from '../quality/record-check.ts'
import { read, type TextBytes } from '../quality/text-bytes.ts'
import { createDecoder } from './decoder.ts'
import type { ColumnCheck } from '../quality/column.ts'

export interface TriedColumn {
  column: Column
  /** The field in the outline, with rows of the sample's records. */
  field: SampleField
}

export interface TrialLoss {
  path: string
  /** For an array of objects: the sub-field. */
  field: string | undefined
  what: string
  count: number
}

export interface TrialResult {
  /** Values that were rejected or changed, by column. */
  losses: TrialLoss[]
  /** Other faults of documents and records. */
  problems: { what: string; count: number }[]
  rows: number
}

export function tryDraft(
  dataset: Dataset,
  tried: TriedColumn[],
  documents: string[],
  records: number,
): TrialResult {
  const { slab, decoder, faults } = decodeAll(dataset, documents)
  const checker = compileChecks(dataset, dataset.columns)
  const { records: found } = decoder
  const malformed = new Set(
    found.issues.filter((issue) => issue.kind === 'malformed').map((issue) => issue.row),
  )
  const skip = new Uint8Array(found.rows)
  for (const check of checker.columns) ensureRows(check.values, found.rows)
  const text = textOver(slab)
  const rejects = checker.check(text, found, skip)
  const tally = createTally()
  for (const fault of faults) tally.problem(fault)
  countRejects(rejects, tally)
  const rows = Array.from({ length: found.rows }, (_, row) => row).filter((row) => !malformed.has(row))
  if (rows.length === records) compareAll(tried, checker.columns, { text, rows, skip }, tally)
  else if (faults.length === 0)
    tally.problem(
      `the draft reads ${rows.length.toLocaleString('en-US')} records, but the sample has ${records.toLocaleString('en-US')}`,
    )
  return {
    losses: tally.losses(),
    problems: tally.problems(),
    rows: rows.filter((row) => skip[row] === 0).length,
  }
}

function decodeAll(
  dataset: Dataset,
  documents: string[],
): { slab: Slab; decoder: ReturnType<typeof createDecoder>; faults: string[] } {
  // The sample is already decoded: no setting or declaration of an encoding may decode it again.
  const decoder = createDecoder(
    { ...dataset, record: { ...dataset.record, encoding: '' } as Dataset['record'] },
    dataset.columns,
  )
  const slab = createSlab(documents.reduce((sum, document) => sum + document.length, 0) * 2 + 4096)
  const faults: string[] = []
  for (const document of documents) {
    const start = appendText(
      slab,
      document.replace(/^(<\?xml[^>]*?)\sencoding\s*=\s*(?:"[^"]*"|'[^']*')/, '$1'),
    )
    const end = slab.end
    slab.end += 1
    reserve(slab, 1024)
    const fault = decoder.decode(slab, start, end)
    if (fault !== undefined) faults.push(`${fault.rule}: ${fault.reason}`)
  }
  return { slab, decoder, faults }
}

interface Tally {
  loss(path: string, field: string | undefined, what: string): void
  problem(what: string): void
  losses(): TrialLoss[]
  problems(): { what: string; count: number }[]
}

function createTally(): Tally {
  const losses = new Map<string, TrialLoss>()
  const problems = new Map<string, { what: string; count: number }>()
  return {
    loss(path, field, what) {
      const key = JSON.stringify([path, field])
      const loss = losses.get(key) ?? { path, field, what, count: 0 }
      losses.set(key, loss)
      loss.count += 1
    },
    problem(what) {
      const problem = problems.get(what) ?? { what, count: 0 }
      problems.set(what, problem)
      problem.count += 1
    },
    losses: () => [...losses.values()],
    problems: () => [...problems.values()],
  }
}

function countRejects(rejects: Reject[], tally: Tally): void {
  for (const { rule, path, reason, value } of rejects) {
    if (rule.startsWith('type.') || rule === 'schema.missing')
      tally.loss(path, undefined, `${reason} (${JSON.stringify(value.slice(0, 60))})`)
    else tally.problem(`${rule}: ${reason}`)
  }
}

interface Checked {
  text: TextBytes
  rows: number[]
  skip: Uint8Array
}

function compareAll(tried: TriedColumn[], checks: ColumnCheck[], checked: Checked, tally: Tally): void {
  checks.forEach((check, i) => {
    const { field, column } = tried[i]
    const expected =
      field.lists === undefined
        ? new Map(field.rows.map((row, at) => [row, field.values[at]]))
        : listsOf(field)
    checked.rows.forEach((row, record) => {
      if (checked.skip[row] !== 0) return
      const loaded = check.values.valid[row] === 0 ? undefined : canonicalText(check, checked.text, row)
      const wanted = expected.get(record)
      if (typeof wanted === 'object') compareList(tried[i], wanted, loaded, tally)
      else if (!sameValue(column, field, wanted, loaded))
        tally.loss(column.path, undefined, changeText(wanted, loaded))
    })
  })
}

function changeText(wanted: string | undefined, loaded: string | undefined): string {
  const quoted = (text: string | undefined): string =>
    text === undefined ? 'nothing' : JSON.stringify(text.slice(0, 60))
  return `${quoted(wanted)} would load as ${quoted(loaded)}`
}

/** The value as the engine gets it. */
function canonicalText({ values }: ColumnCheck, text: TextBytes, row: number): string {
  if (values.kind === 'text') return read(text, values.spans[row * 2], values.spans[row * 2 + 1])
  if (values.kind === 'double') return String(values.double[row])
  if (values.kind === 'boolean') return values.int32[row] === 1 ? 'true' : 'false'
  if (values.kind === 'int32') return String(values.int32[row])
  return String((BigInt(values.words[row * 2 + 1]) << 32n) | BigInt(values.words[row * 2] >>> 0))
}

/** Whether a loaded value, as the engine gets it, means the same as its text in the sample. */
function sameValue(
  column: Column,
  field: SampleField,
  wanted: string | undefined,
  loaded: string | undefined,
): boolean {
  const source = wanted !== undefined && column.clean.trim ? trimmed(wanted) : wanted
  if (source === undefined || column.clean.nulls.includes(source)) return loaded === undefined
  if (loaded === undefined) return false
  if (column.type === 'string')
    return source === loaded || (field.writing === 'json' && sameText(source, loaded))
  if (column.type === 'uuid') return source === loaded
  if (column.type === 'boolean') return source.toLowerCase() === loaded
  if (column.type === 'date' || column.type === 'timestamp')
    return instantOf(source, column.type, column.format) === BigInt(loaded)
  return plainNumber(source) === plainNumber(loaded)
}

function sameText(source: string, loaded: string): boolean {
  const [left, right] = [readJsonValue(source, 0, false), readJsonValue(loaded, 0, false)]
  return !isFault(left) && !isFault(right) && sameJson(left, right)
}

/** The items of one record's array: their values, or those of their sub-fields. */
interface ExpectedList {
  from: number
  length: number
}

function listsOf(field: SampleField): Map<number, ExpectedList> {
  let from = 0
  return new Map(
    (field.lists?.rows ?? []).map((row, i) => {
      const length = field.lists?.lengths[i] ?? 0
      from += length
      return [row, { from: from - length, length }]
    }),
  )
}

function compareList(
  { column, field }: TriedColumn,
  wanted: ExpectedList,
  loaded: string | undefined,
  tally: Tally,
): void {
  const node = loaded === undefined ? undefined : readJsonValue(loaded, 0, false)
  if (node === undefined || isFault(node) || node.items.length !== wanted.length) {
    tally.loss(
      column.path,
      undefined,
      `an array of ${wanted.length} items would load as ${loaded === undefined ? 'nothing' : loaded.slice(0, 60)}`,
    )
    return
  }
  node.items.forEach((item, i) => {
    const at = wanted.from + i
    if (column.fields === undefined) {
      const changed = changeOf(column, field, at, item)
      if (changed !== undefined) tally.loss(column.path, undefined, changed)
    } else
      column.fields.forEach((sub, j) => {
        const inner = item.items[item.keys.indexOf(sub.name)]
        const subField = (field.fields as SampleField[])[j]
        const changed = changeOf(sub, subField, at, inner)
        if (changed !== undefined) tally.loss(column.path, subField.path, changed)
      })
  })
}

/** How a value of the sample changed. Undefined if it loaded unchanged. */
function changeOf(
  column: Column,
  field: SampleField,
  at: number,
  item: JsonNode | undefined,
): string | undefined {
  const wanted = valueAt(field, at)
  const loaded = itemText(item)
  const isSame =
    column.type === 'date' || column.type === 'timestamp'
      ? sameInstant(column, wanted, loaded)
      : sameValue(column, field, wanted, loaded)
  return isSame ? undefined : changeText(wanted, loaded)
}

function itemText(item: JsonNode | undefined): string | undefined {
  if (item === undefined || item.kind === 'null') return undefined
  return item.kind === 'object' || item.kind === 'array' ? '[object]' : item.text
}

/** Items carry times as text, which the engine casts. */
function sameInstant(column: Column, wanted: string | undefined, loaded: string | undefined): boolean {
  if (wanted === undefined || loaded === undefined) return wanted === loaded
  if (/^-?\d+$/.test(loaded))
    return String(instantOf(wanted, column.type as 'date', column.format)) === loaded
  const cut = loaded.replace(/(\.\d{6})\d+/, '$1')
  return (
    instantOf(trimmed(wanted), column.type as 'date', column.format) ===
    instantOf(cut, column.type as 'date', 'iso')
  )
}

const positions = new WeakMap<SampleField, Map<number, number>>()

function valueAt(field: SampleField, row: number): string | undefined {
  let known = positions.get(field)
  if (known === undefined) {
    known = new Map(field.rows.map((fieldRow, i) => [fieldRow, i]))
    positions.set(field, known)
  }
  const at = known.get(row)
  return at === undefined ? undefined : field.values[at]
}

function textOver(slab: Slab): TextBytes {
  return {
    get bytes() {
      return slab.bytes
    },
    append(added) {
      const start = appendText(slab, added)
      return { start, length: slab.end - start }
    },
  }
}
