/** Drafts a declaration from samples: finds the repeated element that is a record, its fields, and types that all samples fit. */

import type { SampleField } from '../core/outline.ts'
import type { RecordFormat } from './declaration.ts'

export interface Draft {
  name: string
  source: string[]
  format: RecordFormat
  /** Settings of the record beside its format, a line each. */
  record: string[]
  records: number
  fields: SampleField[]
}

/** The narrowest type that every sample value fits, and a format where one is needed. */
export function inferType(values: string[]): { type: string; more: string } {
  const all = (pattern: RegExp): boolean => values.length > 0 && values.every((value) => pattern.test(value.trim()))
  if (all(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/)) return { type: 'uuid', more: '' }
  if (all(/^(0|[+-]?[1-9]\d{0,8})$/)) return { type: 'integer', more: '' }
  if (all(/^(0|[+-]?[1-9]\d{0,17})$/)) return { type: 'long', more: '' }
  if (all(/^[+-]?\d{1,12}\.\d{1,6}$/)) return { type: 'decimal', more: `, precision: 18, scale: ${Math.max(...values.map((value) => value.trim().split('.')[1].length))}` }
  if (all(/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/) && !all(/^0\d/)) return { type: 'double', more: '' }
  if (all(/^(true|false)$/i)) return { type: 'boolean', more: '' }
  if (all(/^\d{4}-\d{2}-\d{2}$/)) return { type: 'date', more: '' }
  if (all(/^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})$/)) return { type: 'timestamp', more: '' }
  if (all(/^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?$/)) return { type: 'timestamp', more: ', timezone: UTC' }
  return { type: 'string', more: '' }
}

/** A name for a column from its path. */
function columnName(path: string, taken: Set<string>): string {
  const base = path.replace(/^\/|^\$\./, '').replace(/@/g, '').replace(/[^A-Za-z0-9]+/g, '_').toLowerCase().replace(/^(\d)/, '_$1')
  let name = base
  for (let n = 2; taken.has(name); n += 1) name = `${base}_${n}`
  taken.add(name)
  return name
}

/** The draft as YAML, with what a person should look at said in comments. */
export function draftYaml(draft: Draft): string {
  const taken = new Set<string>()
  const columns = draft.fields.map((field) => {
    const name = columnName(field.path, taken)
    const { type, more } = inferType(field.values)
    const path = name === field.path ? '' : `, path: ${/^[A-Za-z][\w./@-]*$/.test(field.path) ? field.path : JSON.stringify(field.path)}`
    const required = field.present === draft.records && !field.values.some((value) => value.trim() === '') ? ', required: true' : ''
    const array = field.repeats ? ', array: true' : ''
    return { name, type, line: `  - { name: ${name}${path}, type: ${type}${more}${required}${array} }` }
  })
  const key = columns.find((column) => column.type === 'uuid') ?? columns.find((column) => column.name.endsWith('id')) ?? columns[0]
  const date = columns.find((column) => column.type === 'date' || column.type === 'timestamp')
  return [
    `# Drafted from ${draft.records} sample records. Check: types, required, the key, the partition.`,
    '# yaml-language-server: $schema=../schemas/dataset.json',
    `dataset: ${draft.name}`,
    'source:',
    ...draft.source.map((line) => `  ${line}`),
    'record:',
    `  format: ${draft.format}`,
    ...draft.record.map((line) => `  ${line}`),
    'columns:',
    ...columns.map((column) => column.line),
    'drift: freeze',
    'processed:',
    `  key: [${key?.name ?? ''}]   # what makes a record unique`,
    ...(date === undefined ? [] : ['  partition_by:', `    - { column: ${date.name}${date.type === 'timestamp' ? ', transform: day' : ''} }`]),
    '',
  ].join('\n')
}
