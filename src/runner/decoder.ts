/** Messages to records, by the dataset's format: one way in for XML and JSON, for topics and for files. */
import { LIMITS } from '../core/limits.ts'
import type { Slab } from '../core/slab.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import { createEncodingMemory, encodingOf, toUtf8 } from '../formats/encoding.ts'
import { createJsonReader } from '../formats/json/reader.ts'
import { clearRecords, type Records } from '../formats/records.ts'
import { createXmlScanner } from '../formats/xml/scanner.ts'
import { compileShape, type XmlField } from '../formats/xml/shape.ts'

export interface MessageFault {
  rule: string
  reason: string
}

export interface MessageDecoder {
  readonly records: Records
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

export function createDecoder(dataset: Dataset, columns: Column[]): MessageDecoder {
  if (dataset.record.format === 'json') {
    const fields = columns.map((column) => ({ path: column.path, array: column.array }))
    const reader = createJsonReader({ record: dataset.record.path, fields, ignore: dataset.record.ignore })
    return { records: reader.records, decode: (slab, start, end) => reader.readMessage(slab, start, end), clear: () => clearRecords(reader.records) }
  }
  const scanner = createXmlScanner(xmlShapeOf(dataset, columns), XML_LIMITS)
  const memory = createEncodingMemory()
  const decodeUtf8 = (slab: Slab, start: number, end: number): MessageFault | undefined => {
    const fault = scanner.scanMessage(slab, start, end)
    return fault && { rule: fault.rule, reason: `${fault.reason} (byte ${fault.at - start})` }
  }
  return {
    records: scanner.records,
    decode(slab, start, end) {
      const encoding = encodingOf(slab.bytes, start, end, memory)
      if (encoding === '') return decodeUtf8(slab, start, end)
      const span = toUtf8(slab, start, end, encoding)
      if (typeof span === 'string') return { rule: 'malformed', reason: span }
      return decodeUtf8(slab, span.start, span.end)
    },
    clear: () => clearRecords(scanner.records),
  }
}
