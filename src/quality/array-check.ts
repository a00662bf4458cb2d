/**
 * Arrays: takes JSON text of items and returns JSON text of canonical items, which the engine casts to a
 * list. Each item goes through the check of its column as a span of the source text. So format, zone and
 * precision apply to it, and no number becomes a double. Items are passed on as JSON strings (null as null):
 * DuckDB casts those exactly, as a test proves type by type.
 */
import { LIMITS } from '../core/limits.ts'
import { failure } from '../core/errors.ts'
import { parseJsonPath } from '../core/json-path.ts'
import { ensureRows } from '../core/rows.ts'
import type { Column } from '../dataset/declaration.ts'
import { canonicalText } from './canonical.ts'
import { hasEscape, jsonItems, jsonMembers, jsonValue, stringOf, type JsonSpan } from './json-items.ts'
import { read, type TextBytes } from './text-bytes.ts'
import type { ColumnCheck } from './column.ts'
import type { ItemFault } from './column.ts'

/**
 * How members of an array's objects are named: as in the source (JSON), or by the sub-field (the XML
 * scanner's own objects).
 */
export type MemberNames = 'path' | 'name'

/** Canonical JSON text of an item, or its fault. */
type ItemCheck = (text: TextBytes, span: JsonSpan) => string | ItemFault

/** Checks the array in [start, start + length). Returns its canonical JSON text, or its fault. */
export type ArrayCheck = (text: TextBytes, start: number, length: number) => string | ItemFault

export function compileArray(
  column: Column,
  members: MemberNames,
  compile: (column: Column) => ColumnCheck,
): ArrayCheck {
  const item =
    column.fields === undefined
      ? scalarItem({ ...column, array: false }, compile)
      : objectItem(column, column.fields, members, compile)
  return (text, start, length) => {
    const value = jsonValue(text.bytes, start, start + length)
    if (value === undefined)
      return { rule: `type.${column.type}`, where: '', column, value: quoted(text, start, length) }
    // A single value in a column declared as an array is an array of one. XML cannot distinguish them either.
    const items = value.kind === 'array' ? jsonItems(text.bytes, value) : [value]
    const canonical: string[] = []
    for (const [i, span] of items.entries()) {
      const checked = item(text, span)
      if (typeof checked !== 'string') return { ...checked, where: `[${i}]${checked.where}` }
      canonical.push(checked)
    }
    return `[${canonical.join(',')}]`
  }
}

function scalarItem(column: Column, compile: (column: Column) => ColumnCheck): ItemCheck {
  const check = compile(column)
  ensureRows(check.values, 1)
  return (text, span) => {
    if (span.kind === 'null') return column.required ? missing(column) : 'null'
    const at = contentOf(text, span)
    if (at === undefined)
      return { rule: `type.${column.type}`, where: '', column, value: quotedSpan(text, span) }
    const rule = check.check(text, 0, at.start, at.length)
    if (rule !== undefined)
      return check.fault ?? { rule, where: '', column, value: quoted(text, at.start, at.length) }
    if (check.values.valid[0] === 0) return 'null'
    const { values } = check
    // An array inside an object of an array: its text is already JSON.
    if (column.array) return read(text, values.spans[0], values.spans[1])
    const canonical = canonicalText(column.type, values, text, 0)
    return column.type === 'string' ? JSON.stringify(canonical) : `"${canonical}"`
  }
}

/**
 * The span of a value's text: the content of a string, anything else as it is. Undefined: no Unicode text can
 * hold it.
 */
function contentOf(text: TextBytes, span: JsonSpan): { start: number; length: number } | undefined {
  const { kind, start, end } = span
  if (kind !== 'string') return { start, length: end - start }
  if (!hasEscape(text.bytes, span)) return { start: start + 1, length: end - start - 2 }
  const value = stringOf(text.bytes, start, end)
  return value.isWellFormed() ? text.append(value) : undefined
}

interface SubField {
  column: Column
  key: string
  steps: string[]
  where: string
  check: ItemCheck
}

function objectItem(
  column: Column,
  fields: Column[],
  members: MemberNames,
  compile: (column: Column) => ColumnCheck,
): ItemCheck {
  const subFields = fields.map((field): SubField => ({
    column: field,
    key: JSON.stringify(field.name),
    steps: members === 'name' ? [field.name] : stepsOf(field.path),
    where: whereOf(field.path, members),
    check: scalarItem(field, compile),
  }))
  return (text, span) => {
    if (span.kind === 'null') return column.required ? missing(column) : 'null'
    if (span.kind !== 'object')
      return { rule: 'type.object', where: '', column, value: quotedSpan(text, span) }
    const own = jsonMembers(text.bytes, span)
    const parts: string[] = []
    for (const field of subFields) {
      const found = memberAt(text, own, field)
      const checked = checkMember(text, field, found)
      if (typeof checked !== 'string') return { ...checked, where: `${field.where}${checked.where}` }
      parts.push(`${field.key}:${checked}`)
    }
    return `{${parts.join(',')}}`
  }
}

/** The member of a checked item as text, or its fault. */
function checkMember(
  text: TextBytes,
  field: SubField,
  found: JsonSpan | ItemFault | undefined,
): string | ItemFault {
  if (found === undefined) return absent(field.column)
  return 'rule' in found ? found : field.check(text, found)
}

function memberAt(
  text: TextBytes,
  own: Map<string, JsonSpan>,
  field: SubField,
): JsonSpan | ItemFault | undefined {
  let members = own
  let found: JsonSpan | undefined
  for (const [i, step] of field.steps.entries()) {
    if (i > 0) {
      if (found === undefined || found.kind === 'null') return undefined
      if (found.kind !== 'object')
        return { rule: 'type.object', where: '', column: field.column, value: quotedSpan(text, found) }
      members = jsonMembers(text.bytes, found)
    }
    found = members.get(step)
  }
  return found
}

function stepsOf(path: string): string[] {
  const parsed = parseJsonPath(path)
  if (typeof parsed === 'string')
    throw failure('internal', { reason: `path ${path} was not checked: ${parsed}` })
  return parsed.steps
}

function whereOf(path: string, members: MemberNames): string {
  if (members === 'name') return path === '.' ? '' : `/${path}`
  return path.startsWith('[') ? path : `.${path}`
}

function absent(column: Column): string | ItemFault {
  return column.required ? missing(column) : 'null'
}

function missing(column: Column): ItemFault {
  return { rule: 'schema.missing', where: '', column, value: '' }
}

function quotedSpan(text: TextBytes, { start, end }: JsonSpan): string {
  return quoted(text, start, end - start)
}

/** A text as rejects quote it: if it is long, its beginning up to the last whole character. */
export function quoted(text: TextBytes, start: number, length: number): string {
  if (length <= 0) return ''
  if (length <= LIMITS.quotedValueBytes) return read(text, start, length)
  let end = start + LIMITS.quotedValueBytes
  while (end > start && isWithin(text.bytes[end])) end -= 1
  return read(text, start, end - start)
}

/** Whether a byte of UTF-8 continues a character. */
const isWithin = (byte: number): boolean => (byte & 0xc0) === 0x80
