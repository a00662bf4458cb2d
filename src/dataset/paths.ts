/** Paths of a declaration by meaning: several notations may mean the same place. */
import { parseJsonPath, parseRecordPath, relativeJsonPath, type RecordPlace } from '../core/json-path.ts'
import { parseXmlPath } from '../core/xml-path.ts'
import type { Dataset } from './declaration.ts'

type RecordShape = Pick<Dataset['record'], 'format' | 'path' | 'namespaces'>

/** Turns a path into a text that is the same for all its notations, and different for each place. */
export function pathMeaning(record: RecordShape): (path: string) => string {
  if (record.format === 'csv') return (path) => path
  if (record.format === 'xml') return (path) => xmlMeaning(path, record.namespaces)
  const place = recordPlace(record.path)
  return (path) => {
    const parsed = parseJsonPath(path)
    if (typeof parsed === 'string') return path
    const { fromRoot, steps } = relativeJsonPath(parsed, place)
    return JSON.stringify([fromRoot, ...steps])
  }
}

function xmlMeaning(path: string, namespaces: RecordShape['namespaces']): string {
  const parsed = parseXmlPath(path, namespaces)
  if (typeof parsed === 'string') return path
  const steps = parsed.steps.map(({ attribute, local, uri }) => [attribute, local, uri ?? null])
  return JSON.stringify([parsed.fromRoot, ...steps])
}

/** The names on a path, which make the name of a column. */
export function pathNames(record: RecordShape, path: string): string[] {
  if (record.format === 'csv') return [path]
  const parsed = record.format === 'xml' ? parseXmlPath(path, record.namespaces) : parseJsonPath(path)
  if (typeof parsed === 'string') return [path]
  return parsed.steps.map((step) => (typeof step === 'string' ? step : step.local))
}

/** Where the records of a JSON document are. For an invalid path, the document itself. */
function recordPlace(path: string): RecordPlace {
  const place = parseRecordPath(path)
  return typeof place === 'string' ? { steps: [], each: false } : place
}
