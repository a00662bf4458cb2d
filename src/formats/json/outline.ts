/** The outline of sample JSON messages: which array or object is the record, and what values its fields had. */
import type { Outline, SampleField } from '../../core/outline.ts'

export function outlineJson(samples: string[], wanted: string | undefined): Outline {
  const values = samples.flatMap((text) => {
    try {
      return [JSON.parse(text) as unknown]
    } catch {
      return []
    }
  })
  const record = wanted ?? (values.length > 0 ? findRecord(values[0]) : '$')
  const records = values.flatMap((value) => itemsAt(value, record))
  const fields = new Map<string, SampleField>()
  for (const one of records) collect(one, '', fields)
  return { record, records: records.length, fields: [...fields.values()] }
}

function findRecord(value: unknown): string {
  if (Array.isArray(value)) return '$[*]'
  for (const [key, inner] of Object.entries(value as object)) if (Array.isArray(inner) && inner.some((item) => typeof item === 'object' && item !== null)) return `$.${key}[*]`
  return '$'
}

function itemsAt(value: unknown, record: string): unknown[] {
  let found = value
  for (const step of record.replace('[*]', '').split('.').slice(1)) found = (found as Record<string, unknown> | undefined)?.[step]
  return record.endsWith('[*]') ? (Array.isArray(found) ? found : []) : found === undefined ? [] : [found]
}

function collect(value: unknown, path: string, fields: Map<string, SampleField>): void {
  for (const [key, inner] of Object.entries(value as object)) {
    const at = path === '' ? key : `${path}.${key}`
    if (typeof inner === 'object' && inner !== null && !Array.isArray(inner)) {
      collect(inner, at, fields)
      continue
    }
    const field = fields.get(at) ?? { path: at, values: [], present: 0, repeats: false }
    fields.set(at, field)
    if (inner === null) continue
    field.present += 1
    if (Array.isArray(inner)) {
      field.repeats = true
      field.values.push(...inner.map(String))
    } else field.values.push(String(inner))
  }
}
