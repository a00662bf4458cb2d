/**
 * Checks the paths of a declaration whose records are JSON: each leads somewhere, and no two to the same
 * place.
 */
import { jsonPathText, parseJsonPath, parseRecordPath, type JsonPath } from '../core/json-path.ts'
import type { Finding, YamlPath } from './finding.ts'
import type { RawColumn, RawDeclaration } from './normalize.ts'
import { pathMeaning, recordPlace } from './paths.ts'

export function checkJsonPaths(raw: RawDeclaration): Finding[] {
  const { format, ignore = [] } = raw.record
  const recordPath = format === 'ndjson' ? '$' : (raw.record.path ?? '')
  const place = parseRecordPath(recordPath)
  if (typeof place === 'string')
    return [
      {
        path: ['record', 'path'],
        message: `a JSON record path looks like $ or $.books[*], found ${recordPath || 'none'}: ${place}`,
        suggestion: suggest(recordPath, '$.'),
      },
    ]
  return [
    ...raw.columns.flatMap((column, i) => checkColumnPath(column, ['columns', i], recordPath)),
    ...checkTwins(raw.columns, recordPath),
    ...checkThroughArrays(raw.columns),
    ...ignore.flatMap((text, i) => checkIgnored(text, ['record', 'ignore', i], raw.columns, recordPath)),
  ]
}

const textOf = (column: RawColumn): string => column.path ?? column.name

function checkColumnPath(column: RawColumn, at: YamlPath, recordPath: string): Finding[] {
  const text = textOf(column)
  const path = parseJsonPath(text)
  const wrong = typeof path === 'string' ? notAPath(text, path) : isNowhere(text, path, recordPath)
  const inner = (column.fields ?? []).flatMap((field, i) => checkField(field, [...at, 'fields', i]))
  return [...(wrong === undefined ? [] : [{ ...wrong, path: [...at, 'path'] }]), ...inner]
}

function checkField(field: RawColumn, at: YamlPath): Finding[] {
  const text = textOf(field)
  const path = parseJsonPath(text)
  if (typeof path === 'string') return [{ ...notAPath(text, path), path: [...at, 'path'] }]
  if (!path.fromRoot) return []
  return [
    {
      path: [...at, 'path'],
      message: `${text} is a path from the root of the message, and a sub-field is taken from an item`,
    },
  ]
}

type Wrong = Omit<Finding, 'path'>

function notAPath(text: string, reason: string): Wrong {
  return {
    message: `${text === '' ? 'the empty text' : text} is not a path into JSON: ${reason}`,
    suggestion: suggest(text, ''),
  }
}

function isNowhere(text: string, path: JsonPath, recordPath: string): Wrong | undefined {
  if (!path.fromRoot) return undefined
  const { steps, each } = recordPlace(recordPath)
  if (path.steps.length === 0)
    return { message: `${text} is the whole message, and a column takes a field of it` }
  const shared = Math.min(steps.length, path.steps.length)
  if (steps.length === 0 && each) return { message: `${text} leads nowhere: the message is an array` }
  if (!steps.slice(0, shared).every((step, i) => path.steps[i] === step)) return undefined
  if (path.steps.length <= steps.length)
    return each || path.steps.length < steps.length
      ? { message: `${text} holds the records themselves` }
      : undefined
  if (!each) return undefined
  return {
    message: `${text} lies inside of the records`,
    suggestion: `From the record it is ${jsonPathText(path.steps.slice(steps.length))}.`,
  }
}

function checkTwins(columns: RawColumn[], recordPath: string): Finding[] {
  const seen = new Map<string, string>()
  return columns.flatMap((column, i): Finding[] => {
    const meaning = pathMeaning({ format: 'json', path: recordPath, namespaces: {} }, textOf(column))
    const twin = seen.get(meaning)
    if (twin === undefined) seen.set(meaning, column.name)
    if (twin === undefined || twin === column.name) return []
    return [
      {
        path: ['columns', i, 'path'],
        message: `${textOf(column)} is the path of column ${twin} already`,
        suggestion: 'One value goes into one column; leave one of them out.',
      },
    ]
  })
}

/**
 * An object may be a column beside its fields; an array may not, because no path says which item is meant.
 */
function checkThroughArrays(columns: RawColumn[]): Finding[] {
  const arrays = columns
    .filter((column) => column.array === true)
    .map((column) => ({ name: column.name, steps: stepsOf(column) }))
  return columns.flatMap((column, i): Finding[] => {
    const steps = stepsOf(column)
    const array = arrays.find(
      (one) =>
        one.steps.length > 0 &&
        one.steps.length < steps.length &&
        one.steps.every((step, at) => step === steps[at]),
    )
    if (array === undefined) return []
    return [
      {
        path: ['columns', i, 'path'],
        message: `${textOf(column)} goes into the items of ${array.name}, which is an array`,
        suggestion: `Declare it in fields of ${array.name}.`,
      },
    ]
  })
}

/** From the record only: what stands around it cannot be mistaken for it. */
function stepsOf(column: RawColumn): string[] {
  const path = parseJsonPath(textOf(column))
  return typeof path === 'string' || path.fromRoot ? [] : path.steps
}

function checkIgnored(text: string, at: YamlPath, columns: RawColumn[], recordPath: string): Finding[] {
  if (text === '*') return []
  const path = parseJsonPath(text)
  if (typeof path === 'string') return [{ ...notAPath(text, path), path: at }]
  if (path.fromRoot)
    return [
      {
        path: at,
        message: `${text} is outside of the records, where nothing needs to be ignored`,
        suggestion: 'Leave it out.',
      },
    ]
  const shape = { format: 'json' as const, path: recordPath, namespaces: {} }
  const column = columns.find((one) => pathMeaning(shape, textOf(one)) === pathMeaning(shape, text))
  return column === undefined
    ? []
    : [
        {
          path: at,
          message: `${text} is ignored and is the path of column ${column.name}`,
          suggestion: 'Leave one of them out.',
        },
      ]
}

/** The same path without the usual mistakes, when it then is one. */
function suggest(text: string, root: string): string | undefined {
  if (/\[(\*|\d+)\]./.test(text))
    return 'A path does not go into the items of an array: declare the array with array: true, and fields for objects in it.'
  const fixed = text
    .replace(/\['((?:[^'\\]|\\.)*)'\]/g, (_, key: string) => `[${JSON.stringify(key)}]`)
    .replace(/^[./]+|[./]+$/g, '')
    .replace(/([./])[./]+/g, '$1')
  const whole = root === '' || fixed.startsWith('$') ? fixed : `${root}${fixed}`
  const parsed = root === '' ? parseJsonPath(whole) : parseRecordPath(whole)
  return typeof parsed === 'string' || whole === text ? undefined : `Did you mean ${whole}?`
}
