/** Messages to records, by the format of the dataset: the same way for topics and files. */
import { parseJsonPath } from '../core/json-path.ts'
import { LIMITS } from '../core/limits.ts'
import type { Slab } from '../core/slab.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import { createTextFinder, type DocumentSettings } from '../formats/document.ts'
import { createCsvScanner } from '../formats/csv/scanner.ts'
import { createJsonLineScanner } from '../formats/json/lines.ts'
import { createJsonScanner } from '../formats/json/scanner.ts'
import type { JsonShapeSpec } from '../formats/json/shape.ts'
import {
  clearRecords,
  type DocumentFault,
  type DocumentScanner,
  type Records,
  type Surroundings,
} from '../formats/records.ts'
import { createXmlScanner } from '../formats/xml/scanner.ts'
import { compileShape } from '../formats/xml/compile-shape.ts'
import type { XmlSubField } from '../formats/xml/shape.ts'

export interface MessageFault {
  rule: string
  reason: string
}

export interface MessageDecoder {
  readonly records: Records
  /** Turns the bytes of one record into a message. Undefined if a message is kept whole. */
  readonly around: DocumentScanner['around'] | undefined
  /** Decodes one document in [start, end) of the slab and adds its rows. Returns its fault, if any. */
  decode(slab: Slab, start: number, end: number): MessageFault | undefined
  /** Where the text of the last document begins in its slab: after its bytes if it was converted. */
  readonly textStart: number
  clear(): void
}

export const XML_LIMITS = {
  depth: LIMITS.xmlDepth,
  attributes: LIMITS.xmlAttributes,
  nameBytes: LIMITS.xmlNameBytes,
  textBytes: LIMITS.recordBytes,
}

export function xmlShapeOf(dataset: Dataset, columns: Column[]): ReturnType<typeof compileShape> {
  return compileShape({
    record: dataset.record.path,
    fields: columns.map(xmlField),
    ignore: dataset.record.ignore,
    namespaces: dataset.record.namespaces,
  })
}

function xmlField(column: Column): XmlSubField {
  const { name, path, array, fields } = column
  return array ? { name, path, array: { fields: fields?.map(xmlField) } } : { name, path }
}

export const JSON_LIMITS = {
  depth: LIMITS.jsonDepth,
  keyBytes: LIMITS.jsonKeyBytes,
  findings: LIMITS.recordFindings,
  lineBytes: LIMITS.recordBytes,
}

/** A scanner for documents of the dataset's format, whole ones and in windows. */
export function createDocumentScanner(dataset: Dataset, columns: Column[]): DocumentScanner {
  const { format, ignore, delimiter, quote, header } = dataset.record
  if (format === 'json') return createJsonScanner(jsonShapeOf(dataset, columns), JSON_LIMITS)
  if (format === 'ndjson') return createJsonLineScanner(jsonShapeOf(dataset, columns), JSON_LIMITS)
  if (format === 'xml') return createXmlScanner(xmlShapeOf(dataset, columns), XML_LIMITS)
  const required = columns.filter((column) => column.required).map((column) => column.path)
  return createCsvScanner({
    paths: columns.map((column) => column.path),
    required,
    ignore,
    delimiter,
    quote,
    header,
  })
}

function jsonShapeOf(dataset: Dataset, columns: Column[]): JsonShapeSpec {
  const fields = columns.map(({ path, array, fields: inner }) => ({
    path,
    array,
    ...(inner === undefined ? {} : { fields: inner.map((field) => ({ path: field.path })) }),
  }))
  return { record: dataset.record.path, fields, ignore: dataset.record.ignore }
}

/** Whether a column takes a value from outside the records of its document. */
export function standsAround(format: Dataset['record']['format'], { path }: Column): boolean {
  if (format === 'xml') return path.startsWith('/')
  if (format !== 'json') return false
  const parsed = parseJsonPath(path)
  return typeof parsed !== 'string' && parsed.fromRoot
}

/** How documents of a dataset become text. */
export function documentSettings({ record }: Dataset): DocumentSettings {
  return {
    format: record.format,
    encoding: record.encoding,
    mayBeEmpty: record.format === 'ndjson' || (record.format === 'csv' && !record.header),
  }
}

/**
 * A record of a document that was converted, or had a byte order mark, is kept as UTF-8 with a mark: a later
 * declaration may name another encoding, and must still read it.
 */
export function aroundInUtf8(around: Surroundings, isMarked: boolean): Surroundings {
  if (!isMarked) return around
  const marked = ([before, after]: readonly [string, string]): readonly [string, string] => [
    `\uFEFF${before}`,
    after,
  ]
  return typeof around === 'function' ? () => marked(around()) : marked(around)
}

export function createDecoder(dataset: Dataset, columns: Column[]): MessageDecoder {
  const { records, scan, around } = createScan(dataset, columns)
  const text = createTextFinder(documentSettings(dataset))
  const isDeclared = dataset.record.encoding !== ''
  return {
    records,
    around: around && ((row) => aroundInUtf8(around(row), text.isConverted || text.mark > 0 || isDeclared)),
    decode: (slab, start, end) =>
      text.find(slab, start, end) ?? scan(slab, text.start, text.end, text.isConverted ? 0 : text.mark),
    get textStart() {
      return text.start
    },
    clear: () => clearRecords(records),
  }
}

interface Scan {
  records: Records
  /** Reads a document in UTF-8. `mark`: bytes before its text, which count for positions. */
  scan(slab: Slab, start: number, end: number, mark: number): MessageFault | undefined
  around: DocumentScanner['around'] | undefined
}

function createScan(dataset: Dataset, columns: Column[]): Scan {
  const { format, path } = dataset.record
  const scanner = createDocumentScanner(dataset, columns)
  const scan: Scan['scan'] = (slab, start, end, mark) =>
    faultText(scanner.scanMessage(slab, start, end), mark - start)
  // A document of XML, and a JSON message that is one record, is kept whole. Records of other documents stand
  // alone.
  const isWhole = format === 'xml' || (format === 'json' && !path.endsWith('[*]'))
  return { records: scanner.records, scan, around: isWhole ? undefined : (row) => scanner.around(row) }
}

/** The fault of a document with its place. `before` turns a position of the slab into one of the document. */
export function faultText(fault: DocumentFault | undefined, before: number): MessageFault | undefined {
  return (
    fault && {
      rule: fault.rule,
      reason: fault.at < 0 ? fault.reason : `${fault.reason} (byte ${before + fault.at})`,
    }
  )
}
