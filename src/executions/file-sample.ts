/**
 * Columns of files that nobody declared: the values in the first records, and types that keep each of them.
 * The type is a guess: a later value that it would reject or change turns the column into text.
 */
import { jsonPathText, parseJsonPath } from '../core/json-path.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import { freeName } from '../dataset/column-names.ts'
import { inferType } from '../dataset/infer.ts'
import { normalizeColumn } from '../dataset/normalize.ts'
import { createDocumentReader, type DocumentWindow } from '../runner/document-windows.ts'
import { fileColumns, type FileColumn } from './declared-columns.ts'
import { openDocument } from './file-bytes.ts'

/** Number of files whose heads are read. */
const SAMPLE_FILES = 20

/** The columns, if their names are known. */
export async function columnsOfNames(
  dataset: Dataset,
  names: { name: string; path: string }[],
  paths: string[],
): Promise<FileColumn[]> {
  const values = await valuesOf(
    dataset,
    names.map((column) => normalizeColumn({ ...column, trim: false })),
    paths,
  )
  return names.map(({ name, path }, i) =>
    inferredColumn({ name, path, format: dataset.record.format, values: values[i] }),
  )
}

/**
 * Columns of JSON: each key of the records, in the order of its first appearance. Objects and lists become
 * JSON text.
 */
export async function columnsOfKeys(dataset: Dataset, paths: string[]): Promise<FileColumn[]> {
  const keys = new Set<string>()
  for (let before = -1; before < keys.size;) {
    before = keys.size
    const columns = [...keys].map(keyColumn)
    await eachHead({ ...dataset, drift: 'evolve' }, columns, paths, ({ records }) => {
      for (const issue of records.issues) if (issue.kind === 'unexpected') keys.add(keyOf(issue.path))
    })
  }
  const taken = new Set<string>()
  return columnsOfNames(
    dataset,
    [...keys].map((key) => ({ name: freeName(key, taken), path: keyPath(key) })),
    paths,
  )
}

/** The key of the record at the start of a path. */
export function keyOf(path: string): string {
  const parsed = parseJsonPath(path)
  return typeof parsed === 'string' ? path : parsed.steps[0]
}

/** The path of a column for a key of the record. */
export const keyPath = (key: string): string => jsonPathText([key])

const keyColumn = (key: string): Column => normalizeColumn({ name: key, path: keyPath(key), trim: false })

/**
 * Its unchanged text, with all white space. An empty field of CSV is a missing value; an empty text of JSON
 * is a value.
 */
export function wholeTextColumn(name: string, path: string, format: string): FileColumn {
  return {
    column: normalizeColumn({ name, path, trim: false, nulls: format === 'csv' ? [''] : [] }),
    duckType: 'VARCHAR',
  }
}

interface Sampled {
  name: string
  path: string
  format: string
  values: string[]
}

function inferredColumn({ name, path, format, values }: Sampled): FileColumn {
  const {
    type,
    more = '',
    settings = {},
  } = inferType(values) as {
    type: string
    more?: string
    settings?: { precision?: number; scale?: number; format?: string; timezone?: string }
  }
  const [precision, scale] = /precision: (\d+), scale: (\d+)/.exec(more)?.slice(1).map(Number) ?? [
    settings.precision,
    settings.scale,
  ]
  if (type === 'string') return wholeTextColumn(name, path, format)
  const digits = precision === undefined ? {} : { precision, scale }
  return fileColumns(
    [{ name, path, type, ...digits, format: settings.format, timezone: settings.timezone }],
    'ndjson',
    true,
  )[0]
}

/**
 * Number of values from which the type of a column is guessed. All others prove the guess when they are read.
 */
const SAMPLE_VALUES = 20_000

async function valuesOf(dataset: Dataset, columns: Column[], paths: string[]): Promise<string[][]> {
  const values = columns.map((): string[] => [])
  await eachHead(dataset, columns, paths, ({ slab, records }) => {
    const broken = new Set(records.issues.map((issue) => issue.row))
    for (let row = 0; row < records.rows; row += 1) {
      if (broken.has(row)) continue
      for (let i = 0; i < columns.length; i += 1) {
        const cell = (row * columns.length + i) * 2
        const [start, length] = [records.cells[cell], records.cells[cell + 1]]
        if (length > 0 && values[i].length < SAMPLE_VALUES)
          values[i].push(slab.bytes.toString('utf8', start, start + length))
      }
    }
  })
  return values
}

async function eachHead(
  dataset: Dataset,
  columns: Column[],
  paths: string[],
  visit: (window: DocumentWindow) => void,
): Promise<void> {
  for (const path of paths.slice(0, SAMPLE_FILES)) {
    await createDocumentReader(dataset, columns).read(await openDocument(path), async (window) => {
      visit(window)
      return false
    })
  }
}

const AS_WRITTEN: Partial<Record<Column['type'], RegExp>> = {
  integer: /^(0|-?[1-9]\d*)$/,
  long: /^(0|-?[1-9]\d*)$/,
  decimal: /^-?(0|[1-9]\d*)(\.\d+)?$/,
  boolean: /^(true|false)$/i,
  uuid: /^[0-9a-f-]*$/,
  timestamp: /^[^.,]*([.,]\d{1,6})?(\D.*)?$/,
}

/** Whether an undeclared column of this type keeps the text. */
export function givesBack(type: Column['type'], text: string): boolean {
  if (type === 'double') return text.replace(/[eE].*$|\D/g, '').replace(/^0+/, '').length <= 15
  return AS_WRITTEN[type]?.test(text) ?? true
}
