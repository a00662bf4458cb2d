/**
 * The checks of one column, compiled from its declaration: clean the text, parse it as its type, compare it
 * with the allowed values.
 */
import type { Column } from '../dataset/declaration.ts'
import { createColumn, type ColumnValues } from '../core/rows.ts'
import { compileArray, type MemberNames } from './array-check.ts'
import { plainLoop, type TemporalReaders } from './plain-loops.ts'
import { dateReader, timestampReader } from './temporal.ts'
import { read, type TextBytes } from './text-bytes.ts'
import {
  NEEDS_TEXT,
  NO_DECIMAL,
  booleanOf,
  decimalInto,
  decimalText,
  doubleOf,
  integerOf,
  longInto,
  uuidKind,
} from './values.ts'
import type { ColumnCheck } from './column.ts'
import type { ItemFault } from './column.ts'

/** Stores a value and returns undefined, or returns the broken rule. */
type Typed = (text: TextBytes, row: number, start: number, length: number) => string | undefined

/** `members`: how objects in arrays name their members. */
export function compileColumn(column: Column, members: MemberNames = 'path'): ColumnCheck {
  const values = createColumn(columnKind(column))
  const { trim } = column.clean
  const readers = temporalReaders(column)
  const missing = column.required ? 'schema.missing' : undefined
  const emptyIsNull = column.clean.nulls.includes('')
  // Items of an array are cleaned and limited one by one. The array's own text is JSON, which cleaning would
  // change.
  const nullWords = new Set(column.array ? [] : column.clean.nulls.filter((word) => word !== ''))
  const rewrites = !column.array && (column.clean.collapse || column.clean.case !== 'keep')
  let fault: ItemFault | undefined
  const store = column.array
    ? arrayStore(column, values, members, (found) => void (fault = found))
    : singleStore(column, values, readers)
  const check: ColumnCheck['check'] = (text, row, start, length) => {
    if (trim && length > 0) {
      const b = text.bytes
      while (length > 0 && b[start] <= 32) {
        start += 1
        length -= 1
      }
      while (length > 0 && b[start + length - 1] <= 32) length -= 1
    }
    values.valid[row] = 0
    fault = undefined
    if (length < 0 || (length === 0 && emptyIsNull)) return missing
    if (rewrites) ({ start, length } = rewrite(column, text, start, length))
    if (nullWords.size > 0 && nullWords.has(read(text, start, length))) return missing
    const broken = store(text, row, start, length)
    if (broken === undefined) values.valid[row] = 1
    return broken
  }
  const each: ColumnCheck['checkAll'] = ({ text, cells, index, width, rows, skip }, onBroken) => {
    for (let row = 0, cell = index * 2; row < rows; row += 1, cell += width * 2) {
      if (skip[row] !== 0) continue
      const broken = check(text, row, cells[cell], cells[cell + 1])
      if (broken !== undefined) onBroken(row, broken)
    }
  }
  const isPlain =
    !column.array &&
    !rewrites &&
    nullWords.size === 0 &&
    column.pattern === undefined &&
    column.values === undefined
  return {
    column,
    values,
    get fault() {
      return fault
    },
    check,
    checkAll: (isPlain ? plainLoop(column, values, readers, check) : undefined) ?? each,
  }
}

/**
 * How a column's values travel from the checks to the engine: both sides call this, so they cannot disagree.
 */
export function columnKind(column: Column): ColumnValues['kind'] {
  if (column.array) return 'text'
  if (column.type === 'integer' || column.type === 'date') return 'int32'
  if (column.type === 'long' || column.type === 'timestamp') return 'int64'
  if (column.type === 'double' || column.type === 'boolean') return column.type
  return 'text'
}

function temporalReaders({ type, format, timezone, fields }: Column): TemporalReaders {
  if (fields !== undefined) return {}
  if (type === 'date') return { date: dateReader(format) }
  return type === 'timestamp' ? { timestamp: timestampReader(format, timezone) } : {}
}

function arrayStore(
  column: Column,
  values: ColumnValues,
  members: MemberNames,
  onFault: (fault: ItemFault) => void,
): Typed {
  const array = compileArray(column, members, (item) => compileColumn(item, members))
  return (text, row, start, length) => {
    const checked = array(text, start, length)
    if (typeof checked === 'string') {
      setSpan(values, row, text.append(checked))
      return undefined
    }
    onFault(checked)
    return checked.rule
  }
}

function singleStore(column: Column, values: ColumnValues, readers: TemporalReaders): Typed {
  const typed = compileType(column, values, readers)
  const limits = compileLimits(column)
  if (limits === undefined) return typed
  return (text, row, start, length) => typed(text, row, start, length) ?? limits(text, start, length)
}

function setSpan(values: ColumnValues, row: number, span: { start: number; length: number }): void {
  values.spans[row * 2] = span.start
  values.spans[row * 2 + 1] = span.length
}

function compileType(column: Column, values: ColumnValues, readers: TemporalReaders): Typed {
  const broken = `type.${column.type}`
  const { date, timestamp } = readers
  switch (column.type) {
    case 'string':
      return (_, row, start, length) => {
        setSpan(values, row, { start, length })
        return undefined
      }
    case 'uuid':
      return uuid(values, broken)
    case 'integer':
      return (t, row, start, length) => {
        const value = integerOf(t.bytes, start, length)
        values.int32[row] = value
        return value === values.int32[row] ? undefined : broken
      }
    case 'long':
      return (t, row, start, length) =>
        longInto(t.bytes, start, length, { words: values.words, row }) ? undefined : broken
    case 'double':
      return (t, row, start, length) =>
        Number.isNaN((values.double[row] = doubleOf(t.bytes, start, length))) ? broken : undefined
    case 'decimal':
      return decimal(column, values, broken)
    case 'boolean':
      return (t, row, start, length) => {
        const value = booleanOf(t.bytes, start, length)
        values.int32[row] = value
        return value < 0 ? broken : undefined
      }
    case 'date':
      return (t, row, start, length) => {
        const days = date?.(t.bytes, start, length) ?? NaN
        values.int32[row] = days
        return Number.isNaN(days) ? broken : undefined
      }
    case 'timestamp':
      return (t, row, start, length) =>
        timestamp?.(t.bytes, start, length, { words: values.words, row }) === true ? undefined : broken
  }
}

function uuid(values: ColumnValues, broken: string): Typed {
  return (t, row, start, length) => {
    const kind = uuidKind(t.bytes, start, length)
    if (kind === 0) return broken
    setSpan(values, row, kind === 1 ? { start, length } : t.append(read(t, start, length).toLowerCase()))
    return undefined
  }
}

/**
 * Decimals stay canonical text up to the engine, which casts them: exact at 38 digits, where no number type
 * is.
 */
function decimal({ precision, scale }: Column, values: ColumnValues, broken: string): Typed {
  return (t, row, start, length) => {
    const cell = { whole: precision - scale, scale, spans: values.spans, row }
    const kind = decimalInto(t.bytes, start, length, cell)
    if (kind === NO_DECIMAL) return broken
    if (kind === NEEDS_TEXT) setSpan(values, row, t.append(decimalText(t.bytes, start, length)))
    return undefined
  }
}

type Limit = (text: TextBytes, start: number, length: number) => string | undefined

/** Limits on the cleaned text. */
function compileLimits(column: Column): Limit | undefined {
  const limits: Limit[] = []
  const { minLength, maxLength } = column
  if (minLength !== undefined || maxLength !== undefined)
    limits.push((t, start, length) => {
      // The number of bytes is at least the number of characters, so the common case never counts characters.
      if (length <= (maxLength ?? Infinity) && (minLength ?? 0) <= length / 4) return undefined
      const characters = [...read(t, start, length)].length
      return characters > (maxLength ?? Infinity) || characters < (minLength ?? 0)
        ? 'format.length'
        : undefined
    })
  if (column.pattern !== undefined) {
    const pattern = new RegExp(`^(?:${column.pattern})$`, 'u')
    limits.push((t, start, length) => (pattern.test(read(t, start, length)) ? undefined : 'format.pattern'))
  }
  if (column.values !== undefined) {
    const allowed = new Set(column.values)
    limits.push((t, start, length) => (allowed.has(read(t, start, length)) ? undefined : 'format.values'))
  }
  if (limits.length === 0) return undefined
  return (t, start, length) => {
    for (const limit of limits) {
      const broken = limit(t, start, length)
      if (broken !== undefined) return broken
    }
    return undefined
  }
}

function rewrite(
  column: Column,
  text: TextBytes,
  start: number,
  length: number,
): { start: number; length: number } {
  let value = read(text, start, length)
  if (column.clean.collapse) value = value.replace(/\s+/g, ' ')
  if (column.clean.case === 'lower') value = value.toLowerCase()
  if (column.clean.case === 'upper') value = value.toUpperCase()
  return text.append(value)
}
