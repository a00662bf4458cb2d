/** Messages to records, by the dataset's format: one way in for topics and for files. */
import { LIMITS } from '../core/limits.ts'
import type { Slab } from '../core/slab.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import { createEncodingMemory, encodingOf, toUtf8 } from '../formats/encoding.ts'
import { createCsvScanner } from '../formats/csv/scanner.ts'
import { createJsonLineScanner } from '../formats/json/lines.ts'
import { createJsonScanner } from '../formats/json/scanner.ts'
import type { JsonShapeSpec } from '../formats/json/shape.ts'
import { clearRecords, type DocumentScanner, type Records } from '../formats/records.ts'
import { createXmlScanner } from '../formats/xml/scanner.ts'
import { compileShape, type XmlField } from '../formats/xml/shape.ts'

export interface MessageFault {
  rule: string
  reason: string
}

export interface MessageDecoder {
  readonly records: Records
  /** What makes a message of one record's bytes; undefined where a message is kept whole. */
  readonly around: DocumentScanner['around'] | undefined
  /** Decodes one document in [start, end) of the slab and adds its rows; returns what is wrong with it, if anything. */
  decode(slab: Slab, start: number, end: number): MessageFault | undefined
  clear(): void
}

export const XML_LIMITS = { depth: LIMITS.xmlDepth, attributes: LIMITS.xmlAttributes, nameBytes: LIMITS.xmlNameBytes, textBytes: LIMITS.recordBytes }

export function xmlShapeOf(dataset: Dataset, columns: Column[]): ReturnType<typeof compileShape> {
  const fields = columns.map((column): XmlField => ({
    path: column.path,
    ...(column.array ? { array: { fields: column.fields?.map((field) => ({ name: field.name, path: field.path })) } } : {}),
  }))
  return compileShape({ record: dataset.record.path, fields, ignore: dataset.record.ignore, namespaces: dataset.record.namespaces })
}

export const JSON_LIMITS = { depth: LIMITS.jsonDepth, keyBytes: LIMITS.jsonKeyBytes, findings: LIMITS.recordFindings, lineBytes: LIMITS.recordBytes }

/** What reads documents of the dataset's format, whole ones and in windows. */
export function createDocumentScanner(dataset: Dataset, columns: Column[]): DocumentScanner {
  const { format, ignore, delimiter, quote, header } = dataset.record
  if (format === 'json') return createJsonScanner(jsonShapeOf(dataset, columns), JSON_LIMITS)
  if (format === 'ndjson') return createJsonLineScanner(jsonShapeOf(dataset, columns), JSON_LIMITS)
  if (format === 'xml') return createXmlScanner(xmlShapeOf(dataset, columns), XML_LIMITS)
  const required = columns.filter((column) => column.required).map((column) => column.path)
  return createCsvScanner({ paths: columns.map((column) => column.path), required, ignore, delimiter, quote, header })
}

function jsonShapeOf(dataset: Dataset, columns: Column[]): JsonShapeSpec {
  const fields = columns.map(({ path, array, fields: inner }) => ({
    path,
    array,
    ...(inner === undefined ? {} : { fields: inner.map((field) => ({ path: field.path })) }),
  }))
  return { record: dataset.record.path, fields, ignore: dataset.record.ignore }
}

export function createDecoder(dataset: Dataset, columns: Column[]): MessageDecoder {
  const scanner = createDocumentScanner(dataset, columns)
  const { records } = scanner
  const clear = (): void => clearRecords(records)
  const decodeUtf8 = (slab: Slab, start: number, end: number): MessageFault | undefined => {
    const fault = scanner.scanMessage(slab, start, end)
    return fault && { rule: fault.rule, reason: `${fault.reason} (byte ${fault.at - start})` }
  }
  const { format, path } = dataset.record
  // A message that is one record is kept as it came.
  if (format === 'json') return { records, around: path.endsWith('[*]') ? scanner.around : undefined, decode: decodeUtf8, clear }
  if (format !== 'xml') return { records, around: scanner.around, decode: decodeUtf8, clear }
  const memory = createEncodingMemory()
  return {
    records,
    around: undefined,
    decode(slab, start, end) {
      const encoding = encodingOf(slab.bytes, start, end, memory)
      if (encoding === '') return decodeUtf8(slab, start, end)
      const span = toUtf8(slab, start, end, encoding)
      if (typeof span === 'string') return { rule: 'malformed', reason: span }
      return decodeUtf8(slab, span.start, span.end)
    },
    clear,
  }
}
