/** Paths of a declaration by what they mean: the same place may be written in more than one way. */
import { parseJsonPath, parseRecordPath, relativeJsonPath } from '../core/json-path.ts'
import { parseXmlPath } from '../core/xml-path.ts'
import type { Dataset } from './declaration.ts'

type RecordShape = Pick<Dataset['record'], 'format' | 'path' | 'namespaces'>

/** A text that is the same for all ways to write a path, and for no two places. */
export function pathMeaning(record: RecordShape, path: string): string {
  if (record.format === 'csv') return path
  if (record.format === 'xml') {
    const parsed = parseXmlPath(path, record.namespaces)
    if (typeof parsed === 'string') return path
    return JSON.stringify([
      parsed.fromRoot,
      ...parsed.steps.map(({ attribute, local, uri }) => [attribute, local, uri ?? null]),
    ])
  }
  const parsed = parseJsonPath(path)
  if (typeof parsed === 'string') return path
  const { fromRoot, steps } = relativeJsonPath(parsed, recordPlace(record.path))
  return JSON.stringify([fromRoot, ...steps])
}

/** The names on a path, as a column's name is made of them. */
export function pathNames(record: RecordShape, path: string): string[] {
  if (record.format === 'csv') return [path]
  const parsed = record.format === 'xml' ? parseXmlPath(path, record.namespaces) : parseJsonPath(path)
  if (typeof parsed === 'string') return [path]
  return parsed.steps.map((step) => (typeof step === 'string' ? step : step.local))
}

/** Where the records of a JSON document are; the document itself when the path is none. */
export function recordPlace(path: string): { steps: string[]; each: boolean } {
  const place = parseRecordPath(path)
  return typeof place === 'string' ? { steps: [], each: false } : place
}
