/**
 * Plans the read of files from the settings of a job and the heads of the files: the columns, and how to read
 * a record.
 */
import { isUtf8 } from 'node:buffer'
import { failure } from '../core/errors.ts'
import type { Dataset } from '../dataset/declaration.ts'
import { freeName } from '../dataset/column-names.ts'
import { normalize } from '../dataset/normalize.ts'
import { mapFields } from '../formats/csv/columns.ts'
import { firstRecordOf } from '../formats/csv/scanner.ts'
import { headerOf } from '../formats/csv/header.ts'
import { findDialect } from '../formats/csv/sample-dialect.ts'
import { openText } from '../formats/document.ts'
import { documentSettings } from '../runner/decoder.ts'
import type { DocumentWindow } from '../runner/document-windows.ts'
import { fileColumns, textColumn, type FileColumn } from './declared-columns.ts'
import { openDocument } from './file-bytes.ts'
import { columnsOfKeys, columnsOfNames, wholeTextColumn } from './file-sample.ts'

export interface FileSettings {
  format: 'csv' | 'json' | 'ndjson'
  /** A list of columns, in the order of the written file. */
  columns?: unknown
  header?: boolean
  delimiter?: string
  quote?: string
  encoding?: string
  /** Stands for a missing value of CSV. In quotes, it is this text. */
  null_text?: string
}

export interface FilePlan {
  dataset: Dataset
  columns: FileColumn[]
  /** Nobody declared types: they are guesses. */
  inferred: boolean
  /** The first line has the same names in all files, so the position of a field determines its column. */
  sameHeaders: boolean
  prepare?: (window: DocumentWindow) => void
}

/** How many bytes of a file are searched for its header. */
const HEAD_BYTES = 1024 * 1024

/** Throws `source_not_found` for a declared column that no file has. */
export async function planFiles(settings: FileSettings, paths: string[]): Promise<FilePlan> {
  const declared =
    settings.columns === undefined
      ? undefined
      : fileColumns(settings.columns, settings.format, settings.header !== false)
  if (settings.format === 'csv') return planCsv(settings, paths, declared)
  const path =
    settings.format === 'json' &&
    /^\s*\[/.test((await headOf(paths[0], datasetOf(settings, '', []))).bytes.toString())
      ? '$[*]'
      : '$'
  const dataset = datasetOf(settings, path, declared === undefined ? [] : ['*'])
  if (declared !== undefined) return { dataset, columns: declared, inferred: false, sameHeaders: true }
  // A key that only later records have becomes a column, too.
  return {
    dataset: { ...dataset, drift: 'evolve' },
    columns: await columnsOfKeys(dataset, paths),
    inferred: true,
    sameHeaders: true,
  }
}

async function planCsv(
  settings: FileSettings,
  paths: string[],
  declared: FileColumn[] | undefined,
): Promise<FilePlan> {
  const delimiter =
    settings.delimiter ??
    (declared === undefined ? await delimiterOf(paths[0], datasetOf(settings, '', [])) : ',')
  const dataset = datasetOf({ ...settings, delimiter }, '', [])
  const headings = await headersOf(
    paths,
    dataset,
    declared?.map((fileColumn) => fileColumn.column.path) ?? [],
  )
  const headers = headings.map((heading) => heading.addresses)
  const names = [...new Set(headers.flat())]
  const columns =
    declared === undefined
      ? await undeclared(dataset, names, paths)
      : withHeader(dataset, declared, names, paths[0])
  const { null_text: nullText } = settings
  return {
    dataset,
    columns: nullText === undefined ? columns : columns.map(keepEmptyTexts),
    inferred: declared === undefined,
    // Two columns may take the same field, and without a header a column may have no field.
    sameHeaders:
      headers.length === paths.length &&
      // DuckDB loses all rows after a header whose line end differs from the rest of the file.
      headings.every((heading) => heading.isOneLine) &&
      headers.every((header) => header.join('\0') === headers[0].join('\0')) &&
      columns.length === names.length &&
      columns.every(({ column }, i) => column.path === names[i]),
    prepare: nullText === undefined ? undefined : missingText(nullText, settings.quote ?? '"'),
  }
}

function undeclared(dataset: Dataset, names: string[], paths: string[]): Promise<FileColumn[]> {
  const taken = new Set<string>()
  return columnsOfNames(
    dataset,
    names.map((path) => ({ name: freeName(nameOf(dataset, path), taken), path })),
    paths,
  )
}

/** The first record of a file. */
interface Heading {
  /** The addresses of its fields. */
  addresses: string[]
  isOneLine: boolean
}

/** The name of a field without a header. */
const nameOf = ({ record }: Dataset, path: string): string =>
  record.header ? path : `column${Number(path) - 1}`

/**
 * In the order of the fields. An undeclared field is kept as text: a column is not lost because nobody named
 * it.
 */
function withHeader(dataset: Dataset, declared: FileColumn[], names: string[], path: string): FileColumn[] {
  if (names.length === 0) return declared
  const missing = declared.filter((fileColumn) => !names.includes(fileColumn.column.path))
  if (missing.length > 0 && dataset.record.header)
    throw failure('source_not_found', {
      address: path,
      what: `column ${missing[0].column.path}`,
      known: `Its header has ${names.join(', ').slice(0, 200)}.`,
    })
  const byPath = Map.groupBy(declared, ({ column }) => column.path)
  const taken = new Set(declared.map(({ column }) => column.name.toLowerCase()))
  const other = (address: string): FileColumn =>
    textColumn(freeName(nameOf(dataset, address), taken), address)
  return [...names.flatMap((name) => byPath.get(name) ?? [other(name)]), ...missing]
}

/**
 * The addresses of the fields in each file, for the declared columns first. A file without a header, or with
 * an invalid one, is left out: reading it rejects it.
 */
async function headersOf(paths: string[], dataset: Dataset, declared: string[]): Promise<Heading[]> {
  const found: Heading[] = []
  for (const path of paths) {
    const first = firstNames(await headOf(path, dataset), dataset)
    if (first === undefined) continue
    const map = mapFields(first.names, { paths: declared, required: [], ignore: [] })
    if (typeof map === 'string') continue
    const addresses = [...map.paths]
    for (const [column, field] of map.fieldOf.entries()) if (field >= 0) addresses[field] = declared[column]
    found.push({ addresses, isOneLine: first.isOneLine })
  }
  return found
}

/** The names of the fields in the first record of a file. */
function firstNames(
  { bytes, isAll }: Head,
  { record: { delimiter, quote, header } }: Dataset,
): { names: string[]; isOneLine: boolean } | undefined {
  if (!header) {
    const first = firstRecordOf(bytes, { delimiter, quote, isAll })
    if (first === undefined) return undefined
    return {
      names: Array.from({ length: first.fields }, (_, i) => String(i + 1)),
      isOneLine: first.isOneLine,
    }
  }
  const text = `${bytes.toString('utf8')}${isAll ? '\n' : ''}`.replace(/^[\r\n]+/, '')
  const names = headerOf(text, delimiter, quote)?.names
  if (names === undefined || (!isUtf8(bytes) && names.join('').includes('\uFFFD'))) return undefined
  return { names, isOneLine: !names.some((name) => /[\r\n]/.test(name)) }
}

async function delimiterOf(path: string, dataset: Dataset): Promise<string> {
  return findDialect((await headOf(path, dataset)).bytes.toString(), true).delimiter
}

/** The beginning of a file, in UTF-8. */
interface Head {
  bytes: Buffer
  /** It is the whole file. */
  isAll: boolean
}

async function headOf(path: string, dataset: Dataset): Promise<Head> {
  const pieces: Buffer[] = []
  let size = 0
  const document = openText((await openDocument(path)).chunks(), documentSettings(dataset))
  for await (const piece of document.chunks) {
    pieces.push(Buffer.from(piece))
    size += piece.length
    if (size >= HEAD_BYTES) break
  }
  return { bytes: Buffer.concat(pieces).subarray(0, HEAD_BYTES), isAll: size < HEAD_BYTES }
}

function datasetOf(
  { format, encoding, delimiter, quote, header }: FileSettings,
  path: string,
  ignore: string[],
): Dataset {
  const csv = format === 'csv' ? { delimiter, quote, header } : {}
  return normalize({
    dataset: 'files',
    source: { files: { path: '.' } },
    record: { format, encoding, ignore, ...(path === '' ? {} : { path }), ...csv },
    columns: [],
    drift: 'freeze',
  })
}

/** If the job names a word for missing values, an empty field is an empty text. This concerns only texts. */
function keepEmptyTexts(file: FileColumn): FileColumn {
  const { column } = file
  return column.type === 'string' && column.clean.nulls.join() === ''
    ? { ...file, column: { ...column, clean: { ...column.clean, nulls: [] } } }
    : file
}

/** Treats the word, without quotes, as missing, and an empty field as an empty text. */
function missingText(word: string, quote: string): (window: DocumentWindow) => void {
  const [wanted, mark] = [Buffer.from(word), quote === '' ? -1 : quote.charCodeAt(0)]
  return ({ slab: { bytes }, records: { cells, extents, rows, width } }) => {
    for (let row = 0; row < rows; row += 1) {
      for (let cell = row * width * 2, end = cell + width * 2; cell < end; cell += 2) {
        const [start, length] = [cells[cell], cells[cell + 1]]
        if (
          length === wanted.length &&
          length > 0 &&
          start > 0 &&
          bytes[start - 1] !== mark &&
          start < extents[row * 2 + 1] &&
          bytes.compare(wanted, 0, length, start, start + length) === 0
        )
          cells[cell + 1] = -1
        else if (length < 0 && start >= extents[row * 2] && start <= extents[row * 2 + 1]) cells[cell + 1] = 0
      }
    }
  }
}

/** The plan with text for a column whose guessed type did not fit a value. */
export function asText(plan: FilePlan, paths: string[]): FileColumn[] {
  return plan.columns.map((fileColumn) =>
    paths.includes(fileColumn.column.path)
      ? wholeTextColumn(fileColumn.column.name, fileColumn.column.path, plan.dataset.record.format)
      : fileColumn,
  )
}
