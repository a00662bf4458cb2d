/**
 * Loops over the cells of a column without a call of `check` per value, for the most common columns: no case,
 * no words for null, no pattern. A value that a loop cannot decide at once (absent, to be trimmed, wrong)
 * goes to `check`.
 */
import type { ColumnValues } from '../core/rows.ts'
import type { Column } from '../dataset/declaration.ts'
import { isoDate, type DateReader, type TimestampReader } from './temporal.ts'
import { SPAN_OF_TEXT, booleanOf, decimalInto, doubleOf, integerOf, longInto, uuidKind } from './values.ts'
import type { ColumnCheck } from './column.ts'

type Check = ColumnCheck['check']
type Loop = ColumnCheck['checkAll']

/** Readers of a temporal column's format. Only the one of its type is set. */
export interface TemporalReaders {
  date?: DateReader
  timestamp?: TimestampReader
}

export function plainLoop(
  column: Column,
  values: ColumnValues,
  readers: TemporalReaders,
  check: Check,
): Loop | undefined {
  if (column.type === 'string') return plainTexts(column, values, check)
  if (column.minLength !== undefined || column.maxLength !== undefined) return undefined
  switch (column.type) {
    case 'uuid':
      return plainUuids(values, check)
    case 'integer':
      return plainIntegers(values, check)
    case 'long':
      return plainLongs(values, check)
    case 'double':
      return plainDoubles(values, check)
    case 'decimal':
      return plainDecimals(column, values, check)
    case 'boolean':
      return plainBooleans(values, check)
    case 'date':
      return plainDates(readers.date ?? isoDate, values, check)
    case 'timestamp':
      return readers.timestamp === undefined ? undefined : plainTimestamps(readers.timestamp, values, check)
  }
}

/**
 * Decides texts that need no trimming and whose length in bytes is surely within the limits in characters.
 */
function plainTexts(column: Column, values: ColumnValues, check: Check): Loop {
  const shortest = Math.max(1, (column.minLength ?? 0) * 4)
  const longest = column.maxLength ?? Infinity
  return ({ text, cells, index, width, rows, skip }, onBroken) => {
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

function plainUuids(values: ColumnValues, check: Check): Loop {
  return ({ text, cells, index, width, rows, skip }, onBroken) => {
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

function plainIntegers(values: ColumnValues, check: Check): Loop {
  return ({ text, cells, index, width, rows, skip }, onBroken) => {
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

function plainLongs(values: ColumnValues, check: Check): Loop {
  return ({ text, cells, index, width, rows, skip }, onBroken) => {
    const b = text.bytes
    const { words, valid } = values
    const target = { words, row: 0 }
    for (let row = 0, cell = index * 2; row < rows; row += 1, cell += width * 2) {
      if (skip[row] !== 0) continue
      const length = cells[cell + 1]
      target.row = row
      if (length > 0 && longInto(b, cells[cell], length, target)) {
        valid[row] = 1
        continue
      }
      const broken = check(text, row, cells[cell], length)
      if (broken !== undefined) onBroken(row, broken)
    }
  }
}

function plainDoubles(values: ColumnValues, check: Check): Loop {
  return ({ text, cells, index, width, rows, skip }, onBroken) => {
    const b = text.bytes
    const { double, valid } = values
    for (let row = 0, cell = index * 2; row < rows; row += 1, cell += width * 2) {
      if (skip[row] !== 0) continue
      const length = cells[cell + 1]
      const value = length > 0 ? doubleOf(b, cells[cell], length) : NaN
      if (!Number.isNaN(value)) {
        valid[row] = 1
        double[row] = value
        continue
      }
      const broken = check(text, row, cells[cell], length)
      if (broken !== undefined) onBroken(row, broken)
    }
  }
}

function plainDecimals({ precision, scale }: Column, values: ColumnValues, check: Check): Loop {
  const whole = precision - scale
  return ({ text, cells, index, width, rows, skip }, onBroken) => {
    const b = text.bytes
    const { spans, valid } = values
    const target = { whole, scale, spans, row: 0 }
    for (let row = 0, cell = index * 2; row < rows; row += 1, cell += width * 2) {
      if (skip[row] !== 0) continue
      const length = cells[cell + 1]
      target.row = row
      if (length > 0 && decimalInto(b, cells[cell], length, target) === SPAN_OF_TEXT) {
        valid[row] = 1
        continue
      }
      const broken = check(text, row, cells[cell], length)
      if (broken !== undefined) onBroken(row, broken)
    }
  }
}

function plainBooleans(values: ColumnValues, check: Check): Loop {
  return ({ text, cells, index, width, rows, skip }, onBroken) => {
    const b = text.bytes
    const { int32, valid } = values
    for (let row = 0, cell = index * 2; row < rows; row += 1, cell += width * 2) {
      if (skip[row] !== 0) continue
      const value = booleanOf(b, cells[cell], cells[cell + 1])
      if (value >= 0) {
        valid[row] = 1
        int32[row] = value
        continue
      }
      const broken = check(text, row, cells[cell], cells[cell + 1])
      if (broken !== undefined) onBroken(row, broken)
    }
  }
}

function plainDates(reader: DateReader, values: ColumnValues, check: Check): Loop {
  return ({ text, cells, index, width, rows, skip }, onBroken) => {
    const b = text.bytes
    const { int32, valid } = values
    for (let row = 0, cell = index * 2; row < rows; row += 1, cell += width * 2) {
      if (skip[row] !== 0) continue
      const length = cells[cell + 1]
      const days = length > 0 ? reader(b, cells[cell], length) : NaN
      if (!Number.isNaN(days)) {
        valid[row] = 1
        int32[row] = days
        continue
      }
      const broken = check(text, row, cells[cell], length)
      if (broken !== undefined) onBroken(row, broken)
    }
  }
}

function plainTimestamps(reader: TimestampReader, values: ColumnValues, check: Check): Loop {
  return ({ text, cells, index, width, rows, skip }, onBroken) => {
    const b = text.bytes
    const { words, valid } = values
    const target = { words, row: 0 }
    for (let row = 0, cell = index * 2; row < rows; row += 1, cell += width * 2) {
      if (skip[row] !== 0) continue
      const length = cells[cell + 1]
      target.row = row
      if (length > 0 && reader(b, cells[cell], length, target)) {
        valid[row] = 1
        continue
      }
      const broken = check(text, row, cells[cell], length)
      if (broken !== undefined) onBroken(row, broken)
    }
  }
}
