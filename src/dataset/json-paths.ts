/** Checks the paths of a declaration for JSON: each leads to a value, and no two lead to the same one. */
import {
  jsonPathText,
  parseJsonPath,
  parseRecordPath,
  type JsonPath,
  type RecordPlace,
} from '../core/json-path.ts'
import type { Finding, YamlPath } from './finding.ts'
import type { RawColumn, RawDeclaration } from './normalize.ts'
import { pathTree, placeBelow, type PathTree } from './path-tree.ts'
import { pathMeaning } from './paths.ts'

export function checkJsonPaths(raw: RawDeclaration): Finding[] {
  const { format, ignore = [] } = raw.record
  const recordPath = format === 'ndjson' ? '$' : (raw.record.path ?? '')
  const place = parseRecordPath(recordPath)
  if (typeof place === 'string')
    return [
      {
        path: ['record', 'path'],
        message: `record.path of JSON must look like $ or $.books[*], found ${recordPath || 'none'}: ${place}`,
        suggestion: suggest(recordPath, '$.'),
      },
    ]
  const meaningOf = pathMeaning({ format: 'json', path: recordPath, namespaces: {} })
  const takers = new Map<string, string>()
  return [
    ...raw.columns.flatMap((column, i) => checkColumnPath(column, ['columns', i], place)),
    ...raw.columns.flatMap((column, i) => checkTwin(column, i, takers, meaningOf)),
    ...checkThroughArrays(raw.columns),
    ...ignore.flatMap((text, i) => checkIgnored(text, ['record', 'ignore', i], takers.get(meaningOf(text)))),
  ]
}

const textOf = (column: RawColumn): string => column.path ?? column.name

function checkColumnPath(column: RawColumn, at: YamlPath, place: RecordPlace): Finding[] {
  const text = textOf(column)
  const path = parseJsonPath(text)
  const wrong = typeof path === 'string' ? notAPath(text, path) : isNowhere(text, path, place)
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
      message: `${text} starts at the root of the message, but the path of a sub-field starts at the item`,
    },
  ]
}

type Wrong = Omit<Finding, 'path'>

function notAPath(text: string, reason: string): Wrong {
  return {
    message: `${text === '' ? 'an empty text' : text} is not a JSON path: ${reason}`,
    suggestion: suggest(text, ''),
  }
}

function isNowhere(text: string, path: JsonPath, { steps, each }: RecordPlace): Wrong | undefined {
  if (!path.fromRoot) return undefined
  if (path.steps.length === 0)
    return { message: `${text} is the whole message, but a column reads one field` }
  const shared = Math.min(steps.length, path.steps.length)
  if (steps.length === 0 && each) return { message: `${text} does not exist: the message is an array` }
  if (!steps.slice(0, shared).every((step, i) => path.steps[i] === step)) return undefined
  if (path.steps.length <= steps.length)
    return each || path.steps.length < steps.length
      ? { message: `${text} contains the records, but a column reads one field` }
      : undefined
  if (!each) return undefined
  return {
    message: `${text} is inside the records, where paths start at the record`,
    suggestion: `Write ${jsonPathText(path.steps.slice(steps.length))}.`,
  }
}

/** `takers`: the first column of each path, by the meaning of the path. */
function checkTwin(
  column: RawColumn,
  i: number,
  takers: Map<string, string>,
  meaningOf: (path: string) => string,
): Finding[] {
  const meaning = meaningOf(textOf(column))
  const twin = takers.get(meaning)
  if (twin === undefined) takers.set(meaning, column.name)
  if (twin === undefined || twin === column.name) return []
  return [
    {
      path: ['columns', i, 'path'],
      message: `columns ${twin} and ${column.name} both read ${textOf(column)}`,
      suggestion: 'Remove one of the two.',
    },
  ]
}

interface DeclaredArray {
  name: string
  /** Its position among the columns. */
  i: number
}

/** The first declared array that contains the target of a path. */
function arrayAbove(arrays: PathTree<DeclaredArray>, steps: readonly string[]): DeclaredArray | undefined {
  let found: DeclaredArray | undefined
  let place: PathTree<DeclaredArray> | undefined = arrays
  for (const step of steps.slice(0, -1)) {
    place = place?.below.get(step)
    const array = place?.here
    if (array !== undefined && (found === undefined || array.i < found.i)) found = array
  }
  return found
}

/**
 * An object may be a column next to its fields. An array may not, because a path cannot name one of its
 * items.
 */
function checkThroughArrays(columns: RawColumn[]): Finding[] {
  const arrays = pathTree<DeclaredArray>()
  for (const [i, { name, array }] of columns.entries())
    if (array === true) placeBelow(arrays, stepsOf(columns[i])).here ??= { name, i }
  return columns.flatMap((column, i): Finding[] => {
    const array = arrayAbove(arrays, stepsOf(column))
    if (array === undefined) return []
    return [
      {
        path: ['columns', i, 'path'],
        message: `${textOf(column)} is inside the items of the array ${array.name}`,
        suggestion: `Declare it under fields of ${array.name}.`,
      },
    ]
  })
}

/** Only paths from the record: a value outside it has another path. */
function stepsOf(column: RawColumn): string[] {
  const path = parseJsonPath(textOf(column))
  return typeof path === 'string' || path.fromRoot ? [] : path.steps
}

/** `taker`: the column with the same path. */
function checkIgnored(text: string, at: YamlPath, taker: string | undefined): Finding[] {
  if (text === '*') return []
  const path = parseJsonPath(text)
  if (typeof path === 'string') return [{ ...notAPath(text, path), path: at }]
  if (path.fromRoot)
    return [
      {
        path: at,
        message: `${text} is outside the records, but record.ignore applies only inside them`,
        suggestion: 'Remove it.',
      },
    ]
  return taker === undefined
    ? []
    : [
        {
          path: at,
          message: `record.ignore lists ${text}, but column ${taker} reads it`,
          suggestion: 'Remove one of the two.',
        },
      ]
}

/** The path without common mistakes, if that makes it valid. */
function suggest(text: string, root: string): string | undefined {
  if (/\[(\*|\d+)\]./.test(text))
    return 'A path cannot enter the items of an array. Declare the array with array: true, and with fields if its items are objects.'
  const fixed = text
    .replace(/\['((?:[^'\\]|\\.)*)'\]/g, (_, key: string) => `[${JSON.stringify(key)}]`)
    .replace(/([./])[./]+/g, '$1')
    .replace(/^[./]|[./]$/g, '')
  const whole = root === '' || fixed.startsWith('$') ? fixed : `${root}${fixed}`
  const parsed = root === '' ? parseJsonPath(whole) : parseRecordPath(whole)
  return typeof parsed === 'string' || whole === text ? undefined : `Did you mean ${whole}?`
}
