/** Expectations on single records, by the names people know from Great Expectations, compiled to checks on typed values. */
import type { Rule } from '../dataset/declaration.ts'
import { read, type ColumnCheck, type TextBytes } from './column-check.ts'

export interface RuleCheck {
  readonly rule: Rule
  readonly check: ColumnCheck
  /** True when the row keeps the rule. Nulls keep every rule but not_be_null, as in Great Expectations. */
  holds(text: TextBytes, row: number): boolean
}

export function compileRule(rule: Rule, checks: ColumnCheck[]): RuleCheck {
  const check = checks.find((one) => one.column.name === rule.column) as ColumnCheck
  const holds = compile(rule, check)
  return {
    rule,
    check,
    holds: (text, row) => (check.values.valid[row] === 1 ? holds(text, row) : rule.expectation !== 'expect_column_values_to_not_be_null'),
  }
}

function compile(rule: Rule, check: ColumnCheck): (text: TextBytes, row: number) => boolean {
  switch (rule.expectation) {
    case 'expect_column_values_to_be_between':
      return between(rule, check)
    case 'expect_column_values_to_be_in_set': {
      const allowed = new Set(rule.values)
      return (text, row) => allowed.has(textAt(check, text, row))
    }
    case 'expect_column_values_to_match_regex': {
      const pattern = new RegExp(rule.regex ?? '', 'u')
      return (text, row) => pattern.test(textAt(check, text, row))
    }
    case 'expect_column_value_lengths_to_be_between':
      return (text, row) => within([...textAt(check, text, row)].length, rule)
    default:
      return () => true
  }
}

function between(rule: Rule, check: ColumnCheck): (text: TextBytes, row: number) => boolean {
  const { values, column } = check
  if (values.kind === 'text' && column.type === 'string') {
    const min = rule.min === undefined ? undefined : String(rule.min)
    const max = rule.max === undefined ? undefined : String(rule.max)
    return (text, row) => {
      const value = textAt(check, text, row)
      return (min === undefined || value >= min) && (max === undefined || value <= max)
    }
  }
  const bounds = { min: bound(rule.min, column.type), max: bound(rule.max, column.type) }
  return (text, row) => within(numberAt(check, text, row), bounds)
}

function bound(value: number | string | undefined, type: string): number | undefined {
  if (value === undefined || typeof value === 'number') return value
  if (type === 'date') return Date.parse(`${value}T00:00:00Z`) / 86_400_000
  if (type === 'timestamp') return Date.parse(value) * 1000
  return Number(value)
}

function within(value: number, bounds: { min?: number | string; max?: number | string }): boolean {
  return (bounds.min === undefined || value >= Number(bounds.min)) && (bounds.max === undefined || value <= Number(bounds.max))
}

function numberAt(check: ColumnCheck, text: TextBytes, row: number): number {
  const { values } = check
  if (values.kind === 'int32' || values.kind === 'boolean') return values.int32[row]
  if (values.kind === 'double') return values.double[row]
  if (values.kind === 'int64') return values.words[row * 2 + 1] * 4_294_967_296 + (values.words[row * 2] >>> 0)
  return Number(read(text, values.spans[row * 2], values.spans[row * 2 + 1]))
}

/** The value as the user would write it. */
function textAt(check: ColumnCheck, text: TextBytes, row: number): string {
  const { values } = check
  return values.kind === 'text' ? read(text, values.spans[row * 2], values.spans[row * 2 + 1]) : String(numberAt(check, text, row))
}
