/**
 * Paths into XML, as declarations write them and as findings report them. One grammar for both, so that a path
 * that was reported can be declared:
 *
 *   path = [ "/" ] step { "/" step }      a leading slash: from the document, else from the record
 *   step = "." | [ "@" ] name             `@` is an attribute, and only the last step can be one; `.` is where
 *                                         the path stands
 *   name = local                          `title`: in any namespace (which one wins is the scanner's rule)
 *        | prefix ":" local               `media:title`: in the namespace that the declaration binds to it
 *        | "{" uri "}" local              `{http://purl.org/dc/terms/}title`; `{}title` is in no namespace
 *
 * A brace that a URI has in it is written twice.
 */
export interface XmlStep {
  attribute: boolean
  local: string
  /** Undefined: any namespace. Empty: none. */
  uri: string | undefined
  /** As written, for messages about unbound prefixes. */
  prefix: string | undefined
}

export interface XmlPath {
  fromRoot: boolean
  steps: XmlStep[]
}

const XML_URI = 'http://www.w3.org/XML/1998/namespace'
/**
 * `isXmlName` checks the characters of a name. Here, a step only must not contain the characters that end it.
 */
const STEP = /(@?)(?:\{((?:[^{}]|\{\{|\}\})*)\}([^/@{}:\s]+)|(?:([^/@{}:\s]+):)?([^/@{}:\s]+))(?=\/|$)/y

/** Productions [4] and [4a] of XML 1.0 (fifth edition), without the colon. */
const START =
  'A-Z_a-z\\u{c0}-\\u{d6}\\u{d8}-\\u{f6}\\u{f8}-\\u{2ff}\\u{370}-\\u{37d}\\u{37f}-\\u{1fff}\\u{200c}\\u{200d}\\u{2070}-\\u{218f}\\u{2c00}-\\u{2fef}\\u{3001}-\\u{d7ff}\\u{f900}-\\u{fdcf}\\u{fdf0}-\\u{fffd}\\u{10000}-\\u{effff}'
const NAME = new RegExp(`^[${START}][${START}\\-.0-9\\u{b7}\\u{300}-\\u{36f}\\u{203f}\\u{2040}]*$`, 'u')

/** Whether an element or attribute can have this name (without prefix). */
export function isXmlName(local: string): boolean {
  return NAME.test(local)
}

/**
 * Parses a path. A text as the result is the reason why the path is invalid. `namespaces` binds prefixes to
 * URIs.
 */
export function parseXmlPath(text: string, namespaces: Readonly<Record<string, string>>): XmlPath | string {
  const fromRoot = text.startsWith('/')
  const steps: XmlStep[] = []
  let at = fromRoot ? 1 : 0
  if (at === text.length) return 'it is empty'
  for (;;) {
    if (text[at] === '.' && (at + 1 === text.length || text[at + 1] === '/')) at += 1
    else {
      const step = stepAt(text, at, namespaces)
      if (typeof step === 'string') return step
      if (steps.at(-1)?.attribute === true) return 'an attribute has nothing below it'
      steps.push(step.step)
      at = step.end
    }
    if (at === text.length) return { fromRoot, steps }
    at += 1
  }
}

function stepAt(
  text: string,
  at: number,
  namespaces: Readonly<Record<string, string>>,
): { step: XmlStep; end: number } | string {
  STEP.lastIndex = at
  const match = STEP.exec(text)
  if (match === null)
    return at >= text.length || text[at] === '/'
      ? `a step is empty at position ${at + 1}`
      : `position ${at + 1} is not a name`
  const [, sign, uri, localInBraces, prefix, local] = match
  const bound = prefix === undefined ? uri?.replace(/([{}])\1/g, '$1') : uriOf(prefix, namespaces)
  if (prefix !== undefined && bound === undefined)
    return `prefix ${prefix} is not declared in record.namespaces`
  return {
    step: { attribute: sign === '@', local: localInBraces ?? local, uri: bound, prefix },
    end: STEP.lastIndex,
  }
}

function uriOf(prefix: string, namespaces: Readonly<Record<string, string>>): string | undefined {
  if (prefix === 'xml') return XML_URI
  return Object.hasOwn(namespaces, prefix) ? namespaces[prefix] : undefined
}

/**
 * A name in a namespace as a step that `parseXmlPath` reads back. `uri` undefined: any namespace; empty:
 * none.
 */
export function xmlStepText(
  local: string,
  uri: string | undefined,
  namespaces: Readonly<Record<string, string>>,
): string {
  if (uri === undefined) return local
  const prefix = Object.keys(namespaces).find((candidate) => namespaces[candidate] === uri)
  return prefix === undefined || prefix === ''
    ? `{${uri.replace(/[{}]/g, '$&$&')}}${local}`
    : `${prefix}:${local}`
}
