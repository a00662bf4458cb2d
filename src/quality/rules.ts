/**
 * Expectations on single records, by the names people know from Great Expectations, compiled to checks on
 * typed values. Comparisons are exact: 64 bits as two words, decimals as digits, never through a double.
 */
import { LIMITS } from '../core/limits.ts'
import { bigFromWords } from '../core/rows.ts'
import type { Rule } from '../dataset/declaration.ts'
import { boundOf, type Bound } from '../dataset/rule-bounds.ts'
import { canonicalText, compareDecimals } from './canonical.ts'
import type { TextBytes } from './text-bytes.ts'
import { decimalText } from './values.ts'
import type { ColumnCheck } from './column.ts'

export interface RuleCheck {
  readonly rule: Rule
  readonly check: ColumnCheck
  /**
   * True if the row satisfies the rule. Nulls satisfy every rule except not_be_null, as in Great
   * Expectations.
   */
  holds(text: TextBytes, row: number): boolean
}

type Holds = RuleCheck['holds']

export function compileRule(rule: Rule, checks: ColumnCheck[]): RuleCheck {
  const check = checks.find((candidate) => candidate.column.name === rule.column) as ColumnCheck
  const holds = compile(rule, check)
  const nullHolds = rule.expectation !== 'expect_column_values_to_not_be_null'
  return { rule, check, holds: (text, row) => (check.values.valid[row] === 1 ? holds(text, row) : nullHolds) }
}

/** The value that a rule checked, as a reject shows it. */
export function ruleValue(check: ColumnCheck, text: TextBytes, row: number): string {
  const value = canonicalText(check.column.type, check.values, text, row)
  // Do not end with half a character.
  return value.slice(0, LIMITS.quotedValueBytes).replace(/[\ud800-\udbff]$/, '')
}

function compile(rule: Rule, check: ColumnCheck): Holds {
  const { column, values } = check
  const textAt = (text: TextBytes, row: number): string => canonicalText(column.type, values, text, row)
  switch (rule.expectation) {
    case 'expect_column_values_to_be_between':
      return betweenRule(rule, check)
    case 'expect_column_values_to_be_in_set': {
      const allowed = new Set(rule.values?.map((value) => boundOf(value, column)))
      const valueAt = boundReader(check)
      return (text, row) => allowed.has(valueAt(text, row))
    }
    case 'expect_column_values_to_match_regex': {
      const pattern = new RegExp(rule.regex ?? '', 'u')
      return (text, row) => pattern.test(textAt(text, row))
    }
    case 'expect_column_value_lengths_to_be_between': {
      const least = Number(rule.min ?? 0)
      const most = Number(rule.max ?? Infinity)
      return (text, row) => {
        const { length } = [...textAt(text, row)]
        return length >= least && length <= most
      }
    }
    default:
      return () => true
  }
}

/** A row's value in the form that `boundOf` gives bounds. */
function boundReader({ column, values }: ColumnCheck): (text: TextBytes, row: number) => Bound | undefined {
  if (values.kind === 'int32' || values.kind === 'boolean') return (_, row) => BigInt(values.int32[row])
  if (values.kind === 'int64') return (_, row) => bigFromWords(values.words, row)
  if (values.kind === 'double') return (_, row) => values.double[row]
  if (column.type === 'decimal')
    return (text, row) => boundOf(canonicalText('decimal', values, text, row), column)
  return (text, row) => canonicalText(column.type, values, text, row)
}

function betweenRule(rule: Rule, check: ColumnCheck): Holds {
  const { column, values } = check
  const min = rule.min === undefined ? undefined : boundOf(rule.min, column)
  const max = rule.max === undefined ? undefined : boundOf(rule.max, column)
  if (values.kind === 'int32' || values.kind === 'boolean' || values.kind === 'double') {
    const numbers = values.kind === 'double' ? values : undefined
    const [least, most] = [
      min === undefined ? -Infinity : Number(min),
      max === undefined ? Infinity : Number(max),
    ]
    return (_, row) => {
      const value = numbers === undefined ? values.int32[row] : numbers.double[row]
      return value >= least && value <= most
    }
  }
  if (values.kind === 'int64')
    return betweenWords(check, min as bigint | undefined, max as bigint | undefined)
  if (column.type === 'decimal') return betweenDecimals(rule, check)
  const valueAt = boundReader(check)
  return (text, row) => {
    const value = valueAt(text, row) as string
    return (min === undefined || value >= min) && (max === undefined || value <= max)
  }
}

function betweenDecimals(rule: Rule, { values }: ColumnCheck): Holds {
  const canonical = (bound: number | string | undefined): string | undefined => {
    if (bound === undefined) return undefined
    const bytes = Buffer.from(String(bound))
    return decimalText(bytes, 0, bytes.length)
  }
  const [min, max] = [canonical(rule.min), canonical(rule.max)]
  return (text, row) => {
    const value = canonicalText('decimal', values, text, row)
    return (
      (min === undefined || compareDecimals(value, min) >= 0) &&
      (max === undefined || compareDecimals(value, max) <= 0)
    )
  }
}

/** 64 bits by words: the high word is signed, the low one unsigned. */
function betweenWords({ values }: ColumnCheck, min = -(2n ** 63n), max = 2n ** 63n - 1n): Holds {
  const [minHigh, minLow] = [Number(min >> 32n), Number(min & 0xffffffffn)]
  const [maxHigh, maxLow] = [Number(max >> 32n), Number(max & 0xffffffffn)]
  return (_, row) => {
    const high = values.words[row * 2 + 1]
    const low = values.words[row * 2] >>> 0
    if (high < minHigh || (high === minHigh && low < minLow)) return false
    return high < maxHigh || (high === maxHigh && low <= maxLow)
  }
}
