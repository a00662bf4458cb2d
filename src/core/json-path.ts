/**
 * Paths into JSON, as declarations write them and as findings report them. One grammar for both, so that a
 * path that was reported can be declared:
 *
 *   path   = [ "$" separator ] step { separator step }   `$` alone is the message itself
 *   step   = plain | quoted
 *   plain  = one or more characters other than . / [ ]   `author`, `@type`, `$id`
 *   quoted = "[" JSON string "]"                          `["service.name"]`, `[""]`; follows a step directly
 *
 * Steps are separated by a point or a slash. A path that starts with `$.` or `$[` is taken from the message's
 * root, any other from the record. Source of the quoted form: RFC 9535, with double quotes only.
 */
export interface JsonPath {
  /** The path starts at the root of the message instead of at the record. */
  fromRoot: boolean
  /** Keys, exactly as in the document. */
  steps: string[]
}

/** Where the records of a document are. */
export interface RecordPlace {
  steps: string[]
  /** Each item there is a record. */
  each: boolean
}

const PLAIN = /[^./[\]]+/y
const QUOTED = /\[("(?:[^"\\]|\\.)*")\]/y

/** Parses a path. A text as the result is the reason why the path is invalid. */
export function parseJsonPath(text: string): JsonPath | string {
  const fromRoot = /^\$(?=[./[]|$)/.test(text)
  const steps: string[] = []
  let at = fromRoot ? 1 : 0
  while (at < text.length) {
    if (text[at] === '.' || text[at] === '/') {
      if (steps.length === 0 && !fromRoot) return `it starts with "${text[at]}"`
      at += 1
      if (at === text.length) return `it ends with "${text[at - 1]}"`
    } else if (text[at] !== '[' && (steps.length > 0 || fromRoot))
      return `there is no separator before position ${at + 1}`
    const step = stepAt(text, at)
    if (step === undefined)
      return at < text.length && text[at] === '[' ? BRACKET : `a step is empty at position ${at + 1}`
    steps.push(step.key)
    at = step.end
  }
  return steps.length === 0 && !fromRoot ? 'it is empty' : { fromRoot, steps }
}

/**
 * Where the records of a document are: `$` for the document itself, `$.books[*]` for each item. A text as the
 * result is the reason why the path is invalid.
 */
export function parseRecordPath(text: string): RecordPlace | string {
  const each = text.endsWith('[*]')
  const path = parseJsonPath(each ? text.slice(0, -3) : text)
  if (typeof path === 'string') return path
  return path.fromRoot ? { steps: path.steps, each } : 'it does not start with $'
}

/**
 * The same path from the record, where there is one: with records at `$.data`, `$.data.x` is `x`. Items have
 * no such path.
 */
export function relativeJsonPath(path: JsonPath, record: RecordPlace): JsonPath {
  const isInside = path.fromRoot && !record.each && record.steps.every((step, i) => path.steps[i] === step)
  return isInside ? { fromRoot: false, steps: path.steps.slice(record.steps.length) } : path
}

const BRACKET = 'brackets hold one key as a JSON string, like ["a.b"]'

function stepAt(text: string, at: number): { key: string; end: number } | undefined {
  const pattern = text[at] === '[' ? QUOTED : PLAIN
  pattern.lastIndex = at
  const match = pattern.exec(text)
  if (match === null) return undefined
  const end = pattern.lastIndex
  if (match[1] === undefined) return { key: match[0], end }
  try {
    return { key: JSON.parse(match[1]) as string, end }
  } catch {
    return undefined
  }
}

/** A path from the record as text that `parseJsonPath` reads back, without quotes where possible. */
export function jsonPathText(steps: readonly string[]): string {
  return steps.reduce((text, step) => appendJsonStep(text, step), '')
}

/** A path with one more step. `path` is empty for the record itself. */
export function appendJsonStep(path: string, step: string): string {
  const isPlain = /^[^./[\]\s\p{Cc}]+$/u.test(step) && !(path === '' && step === '$') && step !== '*'
  if (!isPlain) return `${path}[${JSON.stringify(step)}]`
  return path === '' ? step : `${path}.${step}`
}
