/** A draft as YAML, with comments for the person who reviews it. */
import type { Draft, DraftColumn } from './infer.ts'

/** Words that some YAML parsers do not read as text. */
const WORDS = /^(true|false|yes|no|on|off|y|n|null|none|nan|inf|~)$/i
const LINE = 100

export function draftYaml(draft: Draft, notes: readonly string[]): string {
  const {
    dataset,
    source,
    record,
    columns: _,
    drift,
    processed,
  } = draft.declaration as Record<string, unknown> & {
    processed?: { key: string[]; partition_by?: object[] }
  }
  return [
    ...comment(
      '',
      `Drafted from ${draft.records.toLocaleString('en-US')} sample record(s). Check the types, required, the key and the partition.`,
    ),
    ...notes.flatMap((note) => comment('', `- ${note.replace(/[.\s]+$/, '')}.`)),
    '# yaml-language-server: $schema=../schemas/dataset.json',
    `dataset: ${valueText(dataset)}`,
    'source:',
    ...section(source as Record<string, Record<string, unknown>>),
    'record:',
    ...Object.entries(record as object).map(([name, value]) => `  ${name}: ${valueText(value)}`),
    'columns:',
    ...draft.columns.flatMap((column) => columnLines(column, '  ')),
    `drift: ${valueText(drift)}`,
    ...(processed === undefined ? withoutKey(draft) : withKey(draft, processed)),
    '',
  ].join('\n')
}

function section(value: Record<string, Record<string, unknown>>): string[] {
  return Object.entries(value).flatMap(([name, inner]) => [
    `  ${name}:`,
    ...Object.entries(inner).map(([key, setting]) => `    ${key}: ${valueText(setting)}`),
  ])
}

function columnLines(column: DraftColumn, indent: string): string[] {
  const { fields, ...settings } = column.settings
  const notes = oneLine(
    [
      ...column.notes,
      ...(column.fields ?? []).flatMap((field) =>
        field.notes.map((note) => `${String(field.settings.name)}: ${note}`),
      ),
    ].join('; '),
  )
  const text = Object.entries(settings)
    .map(([name, value]) => `${name}: ${valueText(value)}`)
    .join(', ')
  const line =
    fields === undefined ? `${indent}- { ${text} }` : `${indent}- { ${text}, fields: ${valueText(fields)} }`
  if (notes === '') return [line]
  return line.length + notes.length <= LINE
    ? [`${line}  # ${notes}`]
    : [...comment(indent, `${String(settings.name)}: ${notes}`), line]
}

function withKey(draft: Draft, processed: { key: string[]; partition_by?: object[] }): string[] {
  return [
    'processed:',
    ...comment('  ', `The key is ${draft.key.reason}.`),
    `  key: ${valueText(processed.key)}`,
    ...(processed.partition_by === undefined
      ? []
      : [
          '  partition_by:',
          ...processed.partition_by.map(
            (rule) => `    - ${valueText(rule)}  # ${draft.partition?.reason ?? ''}`,
          ),
        ]),
  ]
}

function withoutKey(draft: Draft): string[] {
  return [
    ...comment(
      '',
      `${draft.key.reason}. Headrace publishes nothing without a key. When you know the key, add:`,
    ),
    '# processed:',
    '#   key: [COLUMN, OTHER_COLUMN]',
  ]
}

function comment(indent: string, text: string): string[] {
  const words = oneLine(text).split(' ')
  const lines: string[] = []
  for (const word of words) {
    const line = lines.at(-1)
    if (line === undefined || line.length + word.length >= LINE + 20) lines.push(`${indent}# ${word}`)
    else lines[lines.length - 1] = `${line} ${word}`
  }
  return lines
}

function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}\u2028\u2029\uFEFF]+/gu, ' ')
}

export function valueText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`
  if (typeof value === 'object' && value !== null)
    return `{ ${Object.entries(value)
      .map(([key, inner]) => `${valueText(key)}: ${valueText(inner)}`)
      .join(', ')} }`
  return typeof value === 'string' ? scalarText(value) : String(value)
}

function scalarText(text: string): string {
  if (/^[A-Za-z_/][\w./*-]*$/.test(text) && !WORDS.test(text)) return text
  // A JSON string is a YAML string, except for characters that YAML cannot print.
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
