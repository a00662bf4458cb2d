/**
 * JSON and NDJSON made by chance: odd keys, numbers of any length, values of other kinds than declared,
 * broken records.
 */
import { kindFor, typedText } from './generated-csv.ts'
import {
  oneIn,
  textOf,
  widthUpTo,
  type Encoding,
  type GeneratedColumn,
  type MadeText,
} from './generated-parts.ts'
import type { Chance } from './xml-namespaces.ts'

interface Making {
  chance: Chance
  letters: string[]
  /** What may stand in a string beside letters: characters that any encoding has by their escapes. */
  isUnicode: boolean
  /** Where a line end is no white space. */
  byLines: boolean
}

interface Field {
  /** Undefined: not declared. */
  column: GeneratedColumn | undefined
  steps: string[]
}

const ODD_KEYS = [
  '',
  'id',
  'name',
  'a.b',
  'a/b',
  'a[0]',
  '[]',
  '["x"]',
  '@type',
  '$',
  '$id',
  '$.x',
  '*',
  ' ',
  ' lead',
  'trail ',
  '"',
  '\\',
  '\\"',
  '\n',
  '\u0000',
  '\u001f',
  '/',
  '.',
  '__proto__',
  'constructor',
  '0',
  '1',
  '-',
  'null',
  'a b',
  '#1',
  "'",
  '{',
  'x'.repeat(500),
]

const PLACES: [record: string, before: string, after: string][] = [
  ['$[*]', '[', ']'],
  ['$[*]', '[', ']'],
  ['$.data[*]', '{"source": "S1", "data": [', '], "after": {"n": 7}}'],
  ['$["all.books"][*]', '{"all": 1, "all.books": [', ']}'],
  ['$.a.b[*]', '{"x": [1, {"b": [{}]}], "a": {"c": null, "b": [', ']}}'],
  ['$', '', ''],
  ['$.one', '{"source": "S2", "one": ', '}'],
]

export function makeJson(chance: Chance, { letters, label, mark }: Encoding): MadeText {
  const byLines = oneIn(chance, 2)
  const [path, before, after] = byLines ? ['$', '', ''] : chance.pick(PLACES)
  const making: Making = { chance, letters, isUnicode: letters.includes('🙂'), byLines }
  const width = widthUpTo(chance, 2_000)
  const fields = fieldsFor(making, width)
  const isMany = byLines || path.endsWith('[*]')
  const count = isMany ? chance.below(width > 300 ? 5 : 25) : 1
  const records = Array.from({ length: count }, () => recordFor(making, fields))
  const columns = [...fields.flatMap((field) => field.column ?? []), ...columnsAround(chance, before, after)]
  const text = byLines
    ? linesOf(making, records)
    : `${before}${gap(making)}${records.join(`${gap(making)},${gap(making)}`)}${after}`
  const mayBreak = label !== 'utf-16le' && mark !== 'utf-16be' && oneIn(chance, 12)
  return {
    text,
    record: {
      format: byLines ? 'ndjson' : 'json',
      ...(byLines ? {} : { path }),
      ignore: oneIn(chance, 2) ? ['*'] : [],
    },
    columns,
    drift: oneIn(chance, 4) ? 'discard_value' : 'freeze',
    byColumns:
      !columns.some((column) => column.fields !== undefined) &&
      (byLines || (path === '$[*]' && oneIn(chance, 2))),
    ...(mayBreak ? { brokenAt: (chance.below(100) + 0.5) / 100 } : {}),
  }
}

/** Columns of what stands around the records. */
function columnsAround(chance: Chance, before: string, after: string): GeneratedColumn[] {
  const columns: GeneratedColumn[] = []
  if (before.includes('"source"')) columns.push({ name: 'source', path: '$.source' })
  if (after.includes('"after"') && oneIn(chance, 2))
    columns.push({ name: 'after', path: '$.after.n', type: 'long' })
  return columns
}

function linesOf({ chance }: Making, records: string[]): string {
  const end = chance.pick(['\n', '\n', '\r\n', ' \n'])
  const text = records
    .map((record) => `${record}${end}${oneIn(chance, 10) ? chance.pick(['\n', ' \n', '\r\n']) : ''}`)
    .join('')
  return oneIn(chance, 3) ? text.replace(/\s+$/, '') : text
}

function keyFor({ chance, letters }: Making): string {
  return oneIn(chance, 3) ? textOf(chance, [...letters, 'x', '.']) : chance.pick(ODD_KEYS)
}

/** Fields at the record and up to two objects deep; no one's place is inside of another's. */
function fieldsFor(making: Making, width: number): Field[] {
  const { chance } = making
  const objects = Array.from({ length: chance.below(3) }, (_, i) => [`${keyFor(making)}o${i}`])
  if (objects.length > 1 && oneIn(chance, 2)) objects[1].unshift(...objects[0])
  const seen = new Set(objects.map((steps) => JSON.stringify(steps)))
  const fields: Field[] = []
  for (let i = 0; i < width; i += 1) {
    const key = width > 30 || oneIn(chance, 2) ? `${keyFor(making)}${i}` : keyFor(making)
    const steps = [...(objects.length > 0 && oneIn(chance, 3) ? chance.pick(objects) : []), key]
    if (seen.has(JSON.stringify(steps))) continue
    seen.add(JSON.stringify(steps))
    fields.push({ steps, column: oneIn(chance, 10) ? undefined : columnFor(making, i, steps) })
  }
  if (!fields.some((field) => field.column !== undefined))
    fields[0].column = columnFor(making, 0, fields[0].steps)
  return fields
}

function columnFor(making: Making, i: number, steps: string[]): GeneratedColumn {
  const { chance } = making
  const column = { name: `c${i}`, path: pathOf(chance, steps), ...kindFor(chance) }
  if (column.type !== undefined || column.trim !== undefined || !oneIn(chance, 8)) return column
  // A job has no objects in the columns that it lists.
  if (making.byLines || oneIn(chance, 2)) return { name: column.name, path: column.path, array: true }
  return {
    name: column.name,
    path: column.path,
    array: true,
    fields: [
      { name: 'one', path: 'one' },
      { name: 'two', path: '["t.wo"]' },
    ],
  }
}

/** By the grammar of docs/reference/paths.md: plain where that is possible, with either separator. */
function pathOf(chance: Chance, steps: string[]): string {
  return steps.reduce((path, step) => {
    const mayBePlain =
      /^[^./[\]]+$/.test(step) &&
      !(path === '' && /^\$$/.test(step)) &&
      step !== '*' &&
      !/[\s\p{Cc}]/u.test(step)
    if (!mayBePlain || oneIn(chance, 6)) return `${path}[${JSON.stringify(step)}]`
    return path === '' ? step : `${path}${chance.pick(['.', '/'])}${step}`
  }, '')
}

type Tree = Map<string, Tree | string>

function recordFor(making: Making, fields: Field[]): string {
  const { chance } = making
  if (oneIn(chance, 25)) return chance.pick(['null', '[]', '5', '"text"', '[{"a": 1}]', 'true'])
  const tree: Tree = new Map()
  const isSparse = fields.length > 30 && oneIn(chance, 2)
  for (const { column, steps } of fields) {
    if (column?.required !== true && (isSparse ? !oneIn(chance, 10) : oneIn(chance, 6))) continue
    const object = objectAt(tree, steps.slice(0, -1))
    if (column !== undefined || oneIn(chance, Math.max(4, fields.length / 10)))
      object.set(steps.at(-1) ?? '', valueFor(making, column, fields.length))
  }
  for (const [key, inner] of tree)
    if (inner instanceof Map && oneIn(chance, 12))
      tree.set(key, chance.pick(['null', '{}', '5', '"text"', '[]']))
  const text = written(making, tree)
  if (oneIn(chance, 60)) return text.slice(0, chance.below(text.length))
  return oneIn(chance, 60) ? text.replace(/.$/s, chance.pick([',}', ' x}', '}}', ']', '\\}'])) : text
}

/** The object at a path, made where there is none. */
function objectAt(tree: Tree, steps: string[]): Tree {
  let object = tree
  for (const step of steps) {
    if (!(object.get(step) instanceof Map)) object.set(step, new Map())
    object = object.get(step) as Tree
  }
  return object
}

function written(making: Making, tree: Tree): string {
  const { chance } = making
  const pairs = [...tree].map(([key, value]) => {
    const text = value instanceof Map ? written(making, value) : value
    return `${stringText(making, key)}${gap(making)}:${gap(making)}${text}`
  })
  // A key twice.
  if (pairs.length > 0 && oneIn(chance, 25))
    pairs.splice(chance.below(pairs.length + 1), 0, chance.pick(pairs).replace(/:[^:]*$/s, ': 1'))
  return `{${gap(making)}${pairs.join(`${gap(making)},${gap(making)}`)}${gap(making)}}`
}

function gap({ chance, byLines }: Making): string {
  return chance.pick(['', '', '', ' ', '\t', byLines ? '\r' : '\n', byLines ? '' : '\r\n'])
}

/** A string with some of its characters escaped, and all that must be. */
function stringText({ chance }: Making, value: string): string {
  const units = (char: string): string =>
    Array.from(
      { length: char.length },
      (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`,
    ).join('')
  return `"${Array.from(value, (char) => (oneIn(chance, 8) ? units(char) : JSON.stringify(char).slice(1, -1))).join('')}"`
}

const NUMBERS = [
  '0',
  '-0',
  '1',
  '1.10',
  '1e5',
  '1E-7',
  '-1.5e+300',
  '12345678901234567890',
  '1e400',
  '0.1',
  '123456789.123',
  `${'9'.repeat(60)}.${'1'.repeat(60)}`,
  '9223372036854775807',
  '2024',
]

function anyText(making: Making): string {
  const { chance, letters, isUnicode } = making
  return textOf(chance, [
    'a',
    '0',
    ' ',
    '"',
    '\\',
    '/',
    '\n',
    '\t',
    '\u0000',
    '\u001f',
    ...letters,
    ...(isUnicode ? ['\uFFFD', '\u{10FFFF}'] : []),
  ])
}

function valueFor(making: Making, column: GeneratedColumn | undefined, width: number): string {
  const { chance } = making
  const isWrong = oneIn(chance, Math.max(30, width * 3))
  if (column?.type !== undefined && !isWrong) return typedValue(chance, column.type)
  if (column?.required === true && !isWrong) return `"r${chance.below(1_000)}"`
  if (column?.array === true && !isWrong) return arrayFor(making, column)
  const text = stringText(making, anyText(making))
  const nested = [`{"k": ${text}, "a b":[1.50 , null]}`, `[${text},2.0,[true]]`, '{}', '[]', '{"x":{"y":{}}}']
  // Half of a pair is no character.
  if (isWrong && oneIn(chance, 3)) return chance.pick(['"\\ud800"', '"a\\udc00b"', '"\\ud83d\\ud83d"'])
  return chance.pick([
    text,
    text,
    text,
    chance.pick(NUMBERS),
    'true',
    'false',
    'null',
    ...(column?.type === undefined ? [chance.pick(nested)] : []),
  ])
}

function typedValue(chance: Chance, type: string): string {
  const text = typedText(chance, type)
  const isLiteral = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text) || text === 'true'
  return isLiteral && oneIn(chance, 2) ? text : JSON.stringify(text)
}

function arrayFor(making: Making, { fields }: GeneratedColumn): string {
  const { chance } = making
  const scalar = (): string =>
    chance.pick([stringText(making, anyText(making)), chance.pick(NUMBERS), 'null', 'true'])
  const item =
    fields === undefined
      ? scalar
      : (): string => `{"one":${scalar()}${oneIn(chance, 3) ? '' : `,"t.wo": ${scalar()}`}}`
  return `[${Array.from({ length: chance.below(4) }, item).join(',')}]`
}
