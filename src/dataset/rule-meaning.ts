/**
 * Checks a rule against its column: the type must hold bounds exactly, and lengths and patterns need a text.
 */
import { TEXTUAL } from './column-meaning.ts'
import type { Finding, YamlPath } from './finding.ts'
import { isPattern } from './finding.ts'
import type { RawColumn, RawRule } from './normalize.ts'
import { boundOf, type BoundColumn } from './rule-bounds.ts'

/** Checks a rule whose column exists and is itself valid. */
export function checkRuleMeaning(
  expectation: string,
  body: RawRule,
  column: RawColumn,
  at: YamlPath,
): Finding[] {
  const { name, type = 'string' } = column
  const rule = { expectation, body, at }
  if (expectation === 'expect_column_values_to_not_be_null') return []
  if (column.array === true)
    return [
      {
        path: [...at, 'column'],
        message: `${expectation} compares single values, but ${name} is an array`,
        suggestion:
          'To check each item, set values, pattern, min_length or max_length in the declaration of the column.',
      },
    ]
  if (body.regex !== undefined && !isPattern(body.regex))
    return [{ path: [...at, 'regex'], message: `${body.regex} is not a valid regular expression` }]
  if (expectation === 'expect_column_value_lengths_to_be_between') {
    if (!TEXTUAL.includes(type))
      return [
        {
          path: [...at, 'column'],
          message: `${expectation} does not apply to column ${name} of type ${type}`,
          suggestion: `It applies to these types: ${TEXTUAL.join(', ')}.`,
        },
      ]
    return checkBounds(rule, { ...PLAIN, type: 'integer' }, 'a number of characters')
  }
  const bounds: BoundColumn = {
    type,
    precision: column.precision ?? 0,
    scale: column.scale ?? 0,
    timezone: column.timezone ?? '',
  }
  if (expectation === 'expect_column_values_to_be_in_set') return checkSet(body, bounds, name, at)
  if (expectation !== 'expect_column_values_to_be_between') return []
  if (type === 'boolean')
    return [
      {
        path: [...at, 'column'],
        message: `${expectation} does not apply to column ${name}: booleans have no order`,
        suggestion: 'Use expect_column_values_to_be_in_set.',
      },
    ]
  return checkBounds(rule, bounds, typeName(bounds))
}

const PLAIN = { precision: 0, scale: 0, timezone: '' }

function typeName({ type, precision, scale }: BoundColumn): string {
  if (type === 'decimal') return `a decimal(${precision},${scale})`
  return `${type === 'integer' ? 'an' : 'a'} ${type}`
}

/** A rule and its place. */
interface PlacedRule {
  expectation: string
  body: RawRule
  at: YamlPath
}

/** `what`: the expected kind of a bound, for the message. */
function checkBounds({ expectation, body, at }: PlacedRule, column: BoundColumn, what: string): Finding[] {
  const { min_value: least, max_value: most } = body
  if (least === undefined && most === undefined)
    return [{ path: at, message: `${expectation} needs min_value or max_value` }]
  const found: Finding[] = []
  for (const [setting, bound] of [
    ['min_value', least],
    ['max_value', most],
  ] as const)
    if (bound !== undefined && boundOf(bound, column) === undefined)
      found.push({
        path: [...at, setting],
        message: `${setting} ${bound} is not ${what}`,
        suggestion: HINTS[column.type],
      })
  if (found.length > 0 || least === undefined || most === undefined) return found
  const [low, high] = [boundOf(least, column), boundOf(most, column)]
  return low !== undefined && high !== undefined && low > high
    ? [{ path: [...at, 'min_value'], message: `min_value ${least} is above max_value ${most}` }]
    : []
}

const HINTS: Readonly<Record<string, string | undefined>> = {
  date: 'Write dates as 2024-12-31.',
  timestamp: 'Write times as 2024-12-31T23:59:59Z.',
}

function checkSet(body: RawRule, column: BoundColumn, name: string, at: YamlPath): Finding[] {
  const set = body.value_set ?? []
  if (set.length === 0)
    return [
      {
        path: [...at, 'value_set'],
        message: `value_set is empty, so every value of ${name} would break the rule`,
        suggestion: 'Name at least one value, or remove the rule.',
      },
    ]
  return set.flatMap((value, i): Finding[] =>
    boundOf(String(value), column) === undefined
      ? [
          {
            path: [...at, 'value_set', i],
            message: `${String(value)} in value_set is not ${typeName(column)}`,
            suggestion: HINTS[column.type],
          },
        ]
      : [],
  )
}
