/**
 * Reads a declaration and says everything that is wrong with it at once: line, column, what is meant and what
 * would be right.
 */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { LineCounter, parseDocument, type Document, isCollection, isMap, isPair, isScalar, visit } from 'yaml'
import { LIMITS } from '../core/limits.ts'
import type { Dataset } from './declaration.ts'
import { normalize, type RawDeclaration } from './normalize.ts'
import { DATASET_SCHEMA } from './schema.ts'
import type { YamlPath } from './finding.ts'
import { checkMeaning } from './meaning.ts'
import { nearest } from '../core/suggest.ts'

export interface Mistake {
  line: number
  column: number
  message: string
  suggestion: string | undefined
}

export type CheckResult = { dataset: Dataset; mistakes: [] } | { dataset: undefined; mistakes: Mistake[] }

let compiled: ValidateFunction | undefined

/**
 * Compiled when first needed. Our schema is checked against its draft by a test: doing it at each start took
 * 60 ms.
 */
function schemaCheck(): ValidateFunction {
  const { $schema: _, ...schema } = DATASET_SCHEMA
  compiled ??= new Ajv2020({
    allErrors: true,
    strict: false,
    verbose: true,
    meta: false,
    validateSchema: false,
    code: { optimize: false },
  }).compile(schema)
  return compiled
}

interface Found {
  path: YamlPath
  message: string
  suggestion?: string
  key?: boolean
}

/**
 * Checks the text of a declaration. Never throws for what a user may have written, and says little of much:
 * what it costs is linear in the text, but for what `LIMITS` bounds.
 */
export function checkDataset(text: string): CheckResult {
  const bytes = Buffer.byteLength(text)
  if (bytes > LIMITS.declarationBytes)
    return refused(
      `the declaration has ${counted(bytes)} bytes, more than the ${counted(LIMITS.declarationBytes)} that one may have`,
    )
  try {
    return check(text)
  } catch (error) {
    // The parser calls itself for each level, and expands aliases while they are few.
    if (error instanceof RangeError) return refused(DEEP)
    if (error instanceof ReferenceError)
      return refused(error.message.split(':')[0].replace(/\.$/, ''), 'Write out what the aliases stand for.')
    throw error
  }
}

const DEEP = `the declaration nests deeper than ${LIMITS.declarationDepth} levels`
const counted = (count: number): string => count.toLocaleString('en')
const refused = (message: string, suggestion?: string): CheckResult => ({
  dataset: undefined,
  mistakes: [{ line: 1, column: 1, message, suggestion }],
})

function check(text: string): CheckResult {
  const lines = new LineCounter()
  // Its own search for keys that come twice compares each with each, and its pretty errors copy a line for
  // each.
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false })
  const at = (offset: number): { line: number; column: number } => {
    const position = lines.linePos(offset)
    return { line: position.line, column: position.col }
  }
  const unread =
    document.errors.length > 0
      ? document.errors.map((error) => ({ offset: error.pos[0], message: yamlMessage(error.message) }))
      : misshapen(document)
  if (unread.length > 0) {
    const shown = unread
      .slice(0, LIMITS.mistakesShown)
      .map((one) => ({ ...at(one.offset), message: cut(one.message), suggestion: undefined }))
    return { dataset: undefined, mistakes: withRest(shown, unread.length) }
  }
  keepDigits(document)
  const value = document.toJS() as RawDeclaration
  const validate = schemaCheck()
  const found: Found[] = validate(value) ? checkMeaning(value) : explainAll(validate.errors ?? [])
  if (found.length === 0) return { dataset: normalize(value), mistakes: [] }
  // Each suggestion is asked for once: some are searched for then.
  const mistakes = found.slice(0, LIMITS.mistakesShown).map(({ path, key, message, suggestion }) => ({
    ...at(offsetOf(document, path, key === true)),
    message: cut(message),
    suggestion: suggestion === undefined ? undefined : cut(suggestion),
  }))
  mistakes.sort((a, b) => a.line - b.line || a.column - b.column)
  return { dataset: undefined, mistakes: withRest(mistakes, (validate.errors ?? found).length) }
}

const cut = (text: string): string =>
  text.length <= LIMITS.mistakeChars ? text : `${text.slice(0, LIMITS.mistakeChars)}...`

/** Says how many there are beyond those that are shown. */
function withRest(shown: Mistake[], count: number): Mistake[] {
  const last = shown.at(-1)
  if (last === undefined || count <= shown.length) return shown
  return [
    ...shown,
    {
      line: last.line,
      column: last.column,
      message: `${counted(count - shown.length)} more mistakes are not shown`,
      suggestion: undefined,
    },
  ]
}

/** Keys that come twice, and what nests too deep. */
function misshapen(document: Document): { offset: number; message: string }[] {
  const found: { offset: number; message: string }[] = []
  const open: { node: unknown; depth: number }[] = [{ node: document.contents, depth: 1 }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node, depth } = next
    if (!isCollection(node)) continue
    if (depth > LIMITS.declarationDepth) return [{ offset: rangeStart(node) ?? 0, message: DEEP }]
    const seen = new Set<unknown>()
    for (const item of node.items) {
      if (!isPair(item)) {
        open.push({ node: item, depth: depth + 1 })
        continue
      }
      const { key, value } = item
      if (isScalar(key) && seen.size === seen.add(key.value).size)
        found.push({ offset: rangeStart(key) ?? 0, message: 'Map keys must be unique' })
      open.push({ node: key, depth: depth + 1 }, { node: value, depth: depth + 1 })
    }
  }
  return found.toSorted((a, b) => a.offset - b.offset)
}

/**
 * Numbers in rules keep their text: YAML would read 9223372036854775807 as a double, which is another number.
 */
function keepDigits(document: Document): void {
  const rules = document.get('rules', true)
  if (!isCollection(rules)) return
  visit(rules, {
    Scalar(_, node) {
      if (typeof node.value === 'number' && typeof node.source === 'string') node.value = node.source
    },
  })
}

/** One mistake as a line for people. */
export function mistakeText(mistake: Mistake): string {
  const hint = mistake.suggestion === undefined ? '' : ` ${mistake.suggestion}`
  return `  ${mistake.line}:${mistake.column}  ${mistake.message}.${hint}`
}

function yamlMessage(message: string): string {
  return message
    .split('\n')[0]
    .replace(/ at line \d+, column \d+:?$/, '')
    .replace(/\.$/, '')
}

function explainAll(errors: ErrorObject[]): Found[] {
  const useful = errors.filter((error) => error.keyword !== 'if')
  return useful.slice(0, LIMITS.mistakesShown).map(explain)
}

function explain(error: ErrorObject): Found {
  const path = error.instancePath.split('/').slice(1).map(unescapePointer)
  const name = path.length === 0 ? 'the declaration' : pathText(path)
  const params = error.params as Record<string, unknown>
  if (error.keyword === 'additionalProperties') {
    const key = String(params.additionalProperty)
    const known = Object.keys((error.parentSchema as { properties?: object })?.properties ?? {})
    const near = nearest(key, known)
    const suggestion = near === undefined ? `Known here: ${known.join(', ')}.` : `Did you mean ${near}?`
    return { path: [...path, key], key: true, message: `unknown field ${key} in ${name}`, suggestion }
  }
  if (error.keyword === 'required')
    return {
      path,
      message: `${name} lacks the field ${String(params.missingProperty)}`,
      suggestion: describe(error, String(params.missingProperty)),
    }
  if (error.keyword === 'enum') {
    const allowed = (params.allowedValues as unknown[]).map(String)
    const near = nearest(String(error.data), allowed)
    return {
      path,
      message: `${name} is ${JSON.stringify(error.data)}, allowed are ${allowed.join(', ')}`,
      suggestion: near && `Did you mean ${near}?`,
    }
  }
  if (error.keyword === 'type')
    return { path, message: `${name} must be ${String(params.type)}, found ${JSON.stringify(error.data)}` }
  return { path, message: `${name} ${error.message ?? 'is not right'}, found ${JSON.stringify(error.data)}` }
}

function describe(error: ErrorObject, property: string): string | undefined {
  const properties = (error.parentSchema as { properties?: Record<string, { description?: string }> })
    ?.properties
  return properties?.[property]?.description
}

function pathText(path: YamlPath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    return text === '' ? step : `${text}.${step}`
  }, '')
}

function unescapePointer(step: string): string | number {
  return /^\d+$/.test(step) ? Number(step) : step.replaceAll('~1', '/').replaceAll('~0', '~')
}

/** Offset of the node at a path; of its key with `key`; of the nearest ancestor when it does not exist. */
function offsetOf(document: Document, path: YamlPath, key: boolean): number {
  let node: unknown = document.contents
  let offset = rangeStart(node) ?? 0
  path.forEach((step, i) => {
    if (!isCollection(node)) return
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === step)
      if (pair === undefined) return
      offset = rangeStart(key && i === path.length - 1 ? pair.key : (pair.value ?? pair.key)) ?? offset
      node = pair.value
    } else {
      node = node.items[Number(step)]
      offset = rangeStart(node) ?? offset
    }
  })
  return offset
}

function rangeStart(node: unknown): number | undefined {
  return (node as { range?: [number, number, number] } | null)?.range?.[0]
}
