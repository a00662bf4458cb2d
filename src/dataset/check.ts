/** Checks a declaration and reports all mistakes at once: line, column, the mistake and how to fix it. */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { LIMITS } from '../core/limits.ts'
import type { Dataset } from './declaration.ts'
import { normalize, type RawDeclaration } from './normalize.ts'
import { DATASET_SCHEMA } from './schema.ts'
import type { YamlPath } from './finding.ts'
import { checkMeaning } from './meaning.ts'
import { nearest } from '../core/suggest.ts'
import { readYaml } from './yaml-document.ts'

export interface Mistake {
  line: number
  column: number
  message: string
  suggestion: string | undefined
}

export type CheckResult = { dataset: Dataset; mistakes: [] } | { dataset: undefined; mistakes: Mistake[] }

let compiled: ValidateFunction | undefined

/** Compiled on first use. A test checks our schema against its draft: doing so at each start took 60 ms. */
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
 * Checks the text of a declaration. Never throws, whatever the text. Its cost is linear in the text, except
 * for parts that `LIMITS` bounds, and its output is bounded, too.
 */
export function checkDataset(text: string): CheckResult {
  const bytes = Buffer.byteLength(text)
  if (bytes > LIMITS.declarationBytes)
    return refused(
      `the declaration has ${counted(bytes)} bytes; the limit is ${counted(LIMITS.declarationBytes)}`,
    )
  return check(text)
}

const counted = (count: number): string => count.toLocaleString('en')
const refused = (message: string): CheckResult => ({
  dataset: undefined,
  mistakes: [{ line: 1, column: 1, message, suggestion: undefined }],
})

function check(text: string): CheckResult {
  const { at, offsetOf, mistakes: unread, value: written } = readYaml(text)
  if (unread.length > 0) {
    const shown = unread.slice(0, LIMITS.mistakesShown).map(({ offset, message, suggestion }) => ({
      ...at(offset),
      message: cut(yamlMessage(message)),
      suggestion,
    }))
    return { dataset: undefined, mistakes: withRest(shown, unread.length) }
  }
  const value = written as RawDeclaration
  const validate = schemaCheck()
  const found: Found[] = validate(value) ? checkMeaning(value) : explainAll(validate.errors ?? [])
  if (found.length === 0) return { dataset: normalize(value), mistakes: [] }
  // Read each suggestion once: some are computed on access.
  const mistakes = found.slice(0, LIMITS.mistakesShown).map(({ path, key, message, suggestion }) => ({
    ...at(offsetOf(path, key === true)),
    message: cut(message),
    suggestion: suggestion === undefined ? undefined : cut(suggestion),
  }))
  mistakes.sort((a, b) => a.line - b.line || a.column - b.column)
  return { dataset: undefined, mistakes: withRest(mistakes, (validate.errors ?? found).length) }
}

const cut = (text: string): string =>
  text.length <= LIMITS.mistakeChars ? text : `${text.slice(0, LIMITS.mistakeChars)}...`

/** States how many more mistakes there are than shown. */
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
    const suggestion = near === undefined ? `Known fields: ${known.join(', ')}.` : `Did you mean ${near}?`
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
      message: `${name} is ${JSON.stringify(error.data)}; allowed values: ${allowed.join(', ')}`,
      suggestion: near && `Did you mean ${near}?`,
    }
  }
  if (error.keyword === 'type')
    return { path, message: `${name} must be ${String(params.type)}, found ${JSON.stringify(error.data)}` }
  return {
    path,
    message: `${name} ${(error.message ?? 'is not valid').replace('NOT', 'not').replace('properties', 'fields')}, found ${JSON.stringify(error.data)}`,
  }
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
