/** One column's checks, compiled from its declaration: clean the text, type it, compare it with what is allowed. */
import type { Column } from '../dataset/declaration.ts'
import { createColumn, setWords, setWordsBig, type ColumnValues } from '../core/rows.ts'
import { compileTemporal, type TemporalParser } from './temporal.ts'
import { booleanOf, decimalOf, doubleOf, integerOf, longOf, uuidKind } from './values.ts'

/** The bytes that spans point into. `append` adds text behind them and returns its start. */
export interface TextBytes {
  bytes: Uint8Array
  append(text: string): { start: number; length: number }
}

export interface ColumnCheck {
  readonly column: Column
  readonly values: ColumnValues
  /**
   * Checks the value of `row`, a span of the text (length -1: absent), and stores it. Returns undefined, or the rule it
   * breaks; then the row has no value in this column.
   */
  check(text: TextBytes, row: number, start: number, length: number): string | undefined
  /** Checks the cells of all rows whose `skip` is 0; calls `onBroken` for each that breaks a rule. */
  checkAll(text: TextBytes, cells: Int32Array, column: number, width: number, rows: number, skip: Uint8Array, onBroken: (row: number, rule: string) => void): void
}

type Typed = (text: TextBytes, row: number, start: number, length: number) => boolean

export function compileColumn(column: Column): ColumnCheck {
  const values = createColumn(columnKind(column))
  const typed = compileType(column, values)
  const limits = compileLimits(column)
  const { trim, collapse, nulls } = column.clean
  const rewrites = collapse || column.clean.case !== 'keep'
  const emptyIsNull = nulls.includes('')
  const nullWords = new Set(nulls.filter((word) => word !== ''))
  const missing = column.required ? 'schema.missing' : undefined
  // Most columns are plain: a loop of their own saves three calls a value.
  const isPlain = !column.array && !rewrites && nullWords.size === 0 && column.pattern === undefined && column.values === undefined
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
      if (length < 0 || (length === 0 && emptyIsNull)) return missing
      if (rewrites) ({ start, length } = rewrite(column, text, start, length))
      if (nullWords.size > 0 && nullWords.has(read(text, start, length))) return missing
      if (!typed(text, row, start, length)) return `type.${column.type}`
      const broken = limits?.(text, start, length)
      values.valid[row] = broken === undefined ? 1 : 0
      return broken
  }
  const each: ColumnCheck['checkAll'] = (text, cells, index, width, rows, skip, onBroken) => {
    for (let row = 0, cell = index * 2; row < rows; row += 1, cell += width * 2) {
      if (skip[row] !== 0) continue
      const broken = check(text, row, cells[cell], cells[cell + 1])
      if (broken !== undefined) onBroken(row, broken)
    }
  }
  return { column, values, check, checkAll: (isPlain && plainLoop(column, values, check)) || each }
}

/** Loops without a call per value, for what most columns are. A value that they cannot settle at once goes to `check`. */
function plainLoop(column: Column, values: ColumnValues, check: ColumnCheck['check']): ColumnCheck['checkAll'] | undefined {
  if (column.type === 'string') return plainTexts(column, values, check)
  if (column.minLength !== undefined || column.maxLength !== undefined) return undefined
  if (column.type === 'uuid') return plainUuids(values, check)
  if (column.type === 'integer') return plainIntegers(values, check)
  return undefined
}

/** Settles texts that need no trimming and whose length in bytes is surely within the limits in characters. */
function plainTexts(column: Column, values: ColumnValues, check: ColumnCheck['check']): ColumnCheck['checkAll'] {
  const shortest = Math.max(1, (column.minLength ?? 0) * 4)
  const longest = column.maxLength ?? Infinity
  return (text, cells, index, width, rows, skip, onBroken) => {
    const b = text.bytes
    const { spans, valid } = values
    for (let row = 0, cell = index * 2; row < rows; row += 1, cell += width * 2) {
      if (skip[row] !== 0) continue
      const start = cells[cell]
      const length = cells[cell + 1]
      if (length >= shortest && length <= longest && b[start] > 32 && b[start + length - 1] > 32) {
        valid[row] = 1
        spans[row * 2] = start
        spans[row * 2 + 1] = length
        continue
      }
      const broken = check(text, row, start, length)
      if (broken !== undefined) onBroken(row, broken)
    }
  }
}

function plainUuids(values: ColumnValues, check: ColumnCheck['check']): ColumnCheck['checkAll'] {
  return (text, cells, index, width, rows, skip, onBroken) => {
    const b = text.bytes
    const { spans, valid } = values
    for (let row = 0, cell = index * 2; row < rows; row += 1, cell += width * 2) {
      if (skip[row] !== 0) continue
      if (uuidKind(b, cells[cell], cells[cell + 1]) === 1) {
        valid[row] = 1
        spans[row * 2] = cells[cell]
        spans[row * 2 + 1] = 36
        continue
      }
      const broken = check(text, row, cells[cell], cells[cell + 1])
      if (broken !== undefined) onBroken(row, broken)
    }
  }
}

function plainIntegers(values: ColumnValues, check: ColumnCheck['check']): ColumnCheck['checkAll'] {
  return (text, cells, index, width, rows, skip, onBroken) => {
    const b = text.bytes
    const { int32, valid } = values
    for (let row = 0, cell = index * 2; row < rows; row += 1, cell += width * 2) {
      if (skip[row] !== 0) continue
      const length = cells[cell + 1]
      const value = length > 0 && length < 10 ? integerOf(b, cells[cell], length) : NaN
      if (!Number.isNaN(value)) {
        valid[row] = 1
        int32[row] = value
        continue
      }
      const broken = check(text, row, cells[cell], length)
      if (broken !== undefined) onBroken(row, broken)
    }
  }
}

/** How a column's values travel from the checks to the engine: both sides ask here, so that they cannot disagree. */
export function columnKind(column: Column): ColumnValues['kind'] {
  if (column.array) return 'text'
  if (column.type === 'integer' || column.type === 'date') return 'int32'
  if (column.type === 'long' || column.type === 'timestamp') return 'int64'
  if (column.type === 'double' || column.type === 'boolean') return column.type
  return 'text'
}

function compileType(column: Column, values: ColumnValues): Typed {
  const text: Typed = (_, row, start, length) => {
    values.spans[row * 2] = start
    values.spans[row * 2 + 1] = length
    return true
  }
  if (column.array) return compileArray(column, text)
  const temporal = column.type === 'date' || column.type === 'timestamp' ? compileTemporal(column.format, column.timezone) : undefined
  switch (column.type) {
    case 'string':
      return text
    case 'uuid':
      return uuid(text)
    case 'integer':
      return (t, row, start, length) => {
        const value = integerOf(t.bytes, start, length)
        values.int32[row] = value
        return value === values.int32[row]
      }
    case 'long':
      return long(values)
    case 'double':
      return (t, row, start, length) => !Number.isNaN((values.double[row] = doubleOf(read(t, start, length))))
    case 'decimal':
      return decimal(column, text)
    case 'boolean':
      return (t, row, start, length) => {
        const value = booleanOf(read(t, start, length))
        values.int32[row] = value === true ? 1 : 0
        return value !== undefined
      }
    case 'date':
      return (t, row, start, length) => {
        const days = (temporal as TemporalParser).date(read(t, start, length))
        values.int32[row] = days
        return !Number.isNaN(days)
      }
    case 'timestamp':
      return (t, row, start, length) => {
        const micros = (temporal as TemporalParser).timestamp(read(t, start, length))
        if (Number.isNaN(micros)) return false
        setWords(values.words, row, micros)
        return true
      }
  }
}

function uuid(text: Typed): Typed {
  return (t, row, start, length) => {
    const kind = uuidKind(t.bytes, start, length)
    if (kind === 0) return false
    if (kind === 1) return text(t, row, start, length)
    const lower = t.append(read(t, start, length).toLowerCase())
    return text(t, row, lower.start, lower.length)
  }
}

function long(values: ColumnValues): Typed {
  return (t, row, start, length) => {
    const small = integerOf(t.bytes, start, length)
    if (!Number.isNaN(small)) {
      setWords(values.words, row, small)
      return true
    }
    const value = longOf(read(t, start, length))
    if (value !== undefined) setWordsBig(values.words, row, value)
    return value !== undefined
  }
}

/** Decimals stay canonical text up to the engine, which casts them: exact at 38 digits, where no number type is. */
function decimal(column: Column, text: Typed): Typed {
  return (t, row, start, length) => {
    const value = decimalOf(read(t, start, length), column.precision, column.scale)
    if (value === undefined) return false
    const canonical = t.append(value)
    return text(t, row, canonical.start, canonical.length)
  }
}

/** Arrays are JSON text of checked and canonical items; the engine casts them to a list. */
function compileArray(column: Column, store: Typed): Typed {
  const item = column.fields === undefined ? itemCheck({ ...column, array: false }) : undefined
  const fields = column.fields?.map((field) => ({ name: field.name, check: itemCheck(field) }))
  return (t, row, start, length) => {
    let parsed: unknown
    try {
      parsed = JSON.parse(read(t, start, length))
    } catch {
      return false
    }
    const items = Array.isArray(parsed) ? parsed : [parsed]
    const canonical: unknown[] = []
    for (const one of items) {
      const value = item === undefined ? objectOf(one, fields ?? []) : item(one)
      if (value === undefined) return false
      canonical.push(value)
    }
    const text = t.append(JSON.stringify(canonical))
    return store(t, row, text.start, text.length)
  }
}

function objectOf(value: unknown, fields: { name: string; check: (value: unknown) => unknown }[]): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  const made: Record<string, unknown> = {}
  for (const field of fields) {
    const checked = field.check((value as Record<string, unknown>)[field.name] ?? null)
    if (checked === undefined) return undefined
    made[field.name] = checked
  }
  return made
}

/** Checks one item of an array through the column's own check; returns its canonical JSON value, null, or undefined. */
function itemCheck(column: Column): (value: unknown) => unknown {
  const check = compileColumn(column)
  const values = check.values
  values.valid = new Uint8Array(1)
  values.spans = new Int32Array(2)
  values.int32 = new Int32Array(1)
  values.words = new Int32Array(2)
  values.double = new Float64Array(1)
  return (value) => {
    if (value === null) return column.required ? undefined : null
    let bytes = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
    const length = bytes.length
    const text: TextBytes = {
      get bytes() {
        return bytes
      },
      append(added) {
        const start = bytes.length
        bytes = Buffer.concat([bytes, Buffer.from(added)])
        return { start, length: bytes.length - start }
      },
    }
    if (check.check(text, 0, 0, length) !== undefined) return undefined
    if (values.valid[0] === 0) return null
    return values.kind === 'text' ? read(text, values.spans[0], values.spans[1]) : read(text, 0, length).trim()
  }
}

type Limit = (text: TextBytes, start: number, length: number) => string | undefined

function compileLimits(column: Column): Limit | undefined {
  if (column.array) return undefined
  const limits: Limit[] = []
  const { minLength, maxLength } = column
  if (minLength !== undefined || maxLength !== undefined)
    limits.push((t, start, length) => {
      // Bytes bound characters from above, so that the common case never counts.
      if (length <= (maxLength ?? Infinity) && (minLength ?? 0) <= length / 4) return undefined
      const characters = [...read(t, start, length)].length
      return characters > (maxLength ?? Infinity) || characters < (minLength ?? 0) ? 'format.length' : undefined
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

function rewrite(column: Column, text: TextBytes, start: number, length: number): { start: number; length: number } {
  let value = read(text, start, length)
  if (column.clean.collapse) value = value.replace(/\s+/g, ' ')
  if (column.clean.case === 'lower') value = value.toLowerCase()
  if (column.clean.case === 'upper') value = value.toUpperCase()
  return text.append(value)
}

export function read(text: TextBytes, start: number, length: number): string {
  const { bytes: b } = text
  return Buffer.from(b.buffer, b.byteOffset + start, length).toString('utf8')
}
