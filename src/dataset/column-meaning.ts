/**
 * Checks the settings of a column together: a setting that its type cannot obey is refused, never ignored.
 */
import { LIMITS } from '../core/limits.ts'
import type { RecordFormat, ScalarType } from './declaration.ts'
import { isPattern, isZone, type Finding, type YamlPath } from './finding.ts'
import type { RawColumn } from './normalize.ts'
import { EPOCH_PLACES, parseTemporalFormat, saysOffset, type FormatProblem } from './temporal-format.ts'
import { meantFormat } from './temporal-suggest.ts'

type Say = (field: string, message: string, suggestion?: string) => void

/** Types with a length and a pattern. The text of other types depends on their format. */
export const TEXTUAL: readonly ScalarType[] = ['string', 'uuid', 'integer', 'long', 'decimal']

export function checkColumn(column: RawColumn, at: YamlPath, format: RecordFormat): Finding[] {
  const found: Finding[] = []
  const say: Say = (field, message, suggestion) => {
    found.push({ path: [...at, field], message, suggestion })
  }
  if (column.fields !== undefined) {
    checkOuter(column, say)
    found.push(...checkFields(column.name, column.fields, at, format))
    return found
  }
  checkNumbers(column, say)
  checkTime(column, say)
  checkTexts(column, say)
  return found
}

/** An array of objects: its settings belong to its sub-fields. */
function checkOuter(column: RawColumn, say: Say): void {
  if (column.array !== true)
    say('fields', `column ${column.name} has fields, but array is not true`, 'Add array: true.')
  if (column.type !== undefined && column.type !== 'string')
    say(
      'type',
      `${column.name} is an array of objects: its fields have types, the column has none`,
      'Remove type.',
    )
  const ofFields = [
    'precision',
    'scale',
    'format',
    'timezone',
    'values',
    'pattern',
    'min_length',
    'max_length',
    'collapse',
    'case',
  ] as const
  for (const setting of ofFields)
    if (column[setting] !== undefined)
      say(
        setting,
        `${setting} does not apply to ${column.name}, an array of objects`,
        'Move it to one of the fields.',
      )
}

function checkFields(name: string, fields: RawColumn[], at: YamlPath, format: RecordFormat): Finding[] {
  if (fields.length === 0)
    return [
      {
        path: [...at, 'fields'],
        message: `the list fields of ${name} is empty`,
        suggestion: 'Name at least one field, or remove fields.',
      },
    ]
  const seen = new Set<string>()
  return fields.flatMap((field, i) => {
    const here: YamlPath = [...at, 'fields', i]
    const found = checkColumn(field, here, format)
    const key = field.name.toLowerCase()
    if (seen.has(key))
      found.push({ path: [...here, 'name'], message: `field ${field.name} of ${name} is declared twice` })
    seen.add(key)
    return found
  })
}

function checkNumbers(column: RawColumn, say: Say): void {
  const { name, type = 'string', precision, scale } = column
  if (type === 'decimal') {
    if (precision === undefined || scale === undefined)
      say('type', `decimal column ${name} needs precision and scale`, 'For money: precision: 18, scale: 2.')
    else if (scale > precision) say('scale', `scale ${scale} is larger than precision ${precision}`)
    return
  }
  for (const setting of ['precision', 'scale'] as const)
    if (column[setting] !== undefined)
      say(setting, `${setting} applies only to type decimal; column ${name} has type ${type}`)
}

function checkTime(column: RawColumn, say: Say): void {
  const { name, type = 'string', timezone, format = 'iso' } = column
  if (type !== 'date' && type !== 'timestamp') {
    if (column.format !== undefined)
      say('format', `format applies only to types date and timestamp; column ${name} has type ${type}`)
    if (timezone !== undefined)
      say('timezone', `timezone applies only to type timestamp; column ${name} has type ${type}`)
    return
  }
  if (timezone !== undefined && type === 'date')
    say('timezone', `timezone applies only to type timestamp; column ${name} has type date`)
  if (timezone !== undefined && !isZone(timezone))
    say('timezone', `${timezone} is not an IANA time zone`, 'For example Europe/Berlin or UTC.')
  if (format === 'iso') return
  if (Object.hasOwn(EPOCH_PLACES, format)) checkEpoch(column, format, say)
  else checkLetters(column, format, type, say)
}

/** A format that counts since 1970. */
function checkEpoch({ name, type, timezone }: RawColumn, format: string, say: Say): void {
  if (type === 'date')
    say(
      'format',
      `${format} counts ${UNITS[format]}, but column ${name} has type date`,
      'Use type: timestamp.',
    )
  else if (timezone !== undefined)
    say('timezone', `${format} counts from 1970 in UTC, so timezone has no effect`, 'Remove timezone.')
}

/** A format of letters, such as yyyy-MM-dd. */
function checkLetters(
  { name, timezone, trim }: RawColumn,
  format: string,
  type: 'date' | 'timestamp',
  say: Say,
): void {
  const steps = parseTemporalFormat(format, type)
  if (!Array.isArray(steps)) {
    say('format', problemText(format, steps), meaningOf(format, type, steps))
    return
  }
  const [first, last] = [steps[0], steps[steps.length - 1]]
  const isCut =
    (first.kind === 'text' && first.text.charCodeAt(0) <= 32) ||
    (last.kind === 'text' && last.text.charCodeAt(last.text.length - 1) <= 32)
  if (isCut && trim !== false)
    say(
      'format',
      `format ${format} starts or ends with white space, but the column trims its values first`,
      'Remove the white space from the format, or set trim: false.',
    )
  if (type === 'timestamp' && timezone === undefined && !saysOffset(steps))
    say(
      'type',
      `timestamp column ${name} has a format without an offset, and no timezone`,
      'Add the time zone of the values, for example timezone: UTC.',
    )
}

const UNITS: Readonly<Record<string, string>> = {
  epoch_s: 'seconds',
  epoch_ms: 'milliseconds',
  epoch_us: 'microseconds',
  epoch_ns: 'nanoseconds',
}

function problemText(format: string, { position, message }: FormatProblem): string {
  return `format ${format} is not valid at position ${position}: ${message}`
}

function meaningOf(
  format: string,
  type: 'date' | 'timestamp',
  { suggestion }: FormatProblem,
): string | undefined {
  const whole = meantFormat(format, type)
  return whole === undefined
    ? suggestion
    : `${suggestion === undefined ? '' : `${suggestion} `}Did you mean ${whole}?`
}

function checkTexts(column: RawColumn, say: Say): void {
  const { name, type = 'string', values, pattern, min_length: least, max_length: most } = column
  if (pattern !== undefined && pattern.length > LIMITS.patternChars)
    say('pattern', `pattern of ${name} has more than ${LIMITS.patternChars} characters`)
  else if (pattern !== undefined && !isPattern(pattern))
    say('pattern', `pattern ${pattern} is not a valid regular expression`)
  if (!TEXTUAL.includes(type))
    for (const setting of ['pattern', 'min_length', 'max_length'] as const)
      if (column[setting] !== undefined)
        say(
          setting,
          `${setting} does not apply to column ${name} of type ${type}`,
          `It applies to these types: ${TEXTUAL.join(', ')}.`,
        )
  if (least !== undefined && most !== undefined && least > most)
    say('min_length', 'min_length is larger than max_length')
  if (values !== undefined) checkValues(column, values, say)
}

function checkValues(column: RawColumn, values: string[], say: Say): void {
  const { name, type = 'string' } = column
  if (type !== 'string')
    say(
      'values',
      `values (enum) applies only to type string; column ${name} has type ${type}`,
      'For other types, use the rule expect_column_values_to_be_in_set.',
    )
  else if (values.length === 0)
    say(
      'values',
      `the list values of ${name} is empty, so every text would be rejected`,
      'Name at least one value, or remove values.',
    )
  for (const value of type === 'string' ? values : []) {
    const cleaned = clean(value, column)
    if (cleaned !== value)
      say(
        'values',
        `${JSON.stringify(value)} in values never matches: the column changes such a text to ${JSON.stringify(cleaned)} first`,
        `Write ${JSON.stringify(cleaned)}.`,
      )
  }
}

/** Cleans a text as the checks do: white space up to U+0020 at both ends, runs of white space, case. */
function clean(text: string, column: RawColumn): string {
  // Only the first character of a run is tried as the start of the last run.
  // oxlint-disable-next-line no-control-regex -- the controls below the blank are trimmed as well
  let value = column.trim === false ? text : text.replace(/^[\0- ]+|(?<![\0- ])[\0- ]+$/g, '')
  if (column.collapse === true) value = value.replace(/\s+/g, ' ')
  if (column.case === 'lower') value = value.toLowerCase()
  return column.case === 'upper' ? value.toUpperCase() : value
}
