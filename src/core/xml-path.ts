/**
 * Paths into XML, as declarations write them and as findings report them. One grammar for both, so that a path that was
 * reported can be declared:
 *
 *   path = [ "/" ] step { "/" step }      a leading slash: from the document, else from the record
 *   step = "." | [ "@" ] name             `@` is an attribute, and only the last step can be one; `.` is where the path stands
 *   name = local                          `title`: in any namespace (which one wins is the scanner's rule)
 *        | prefix ":" local               `media:title`: in the namespace that the declaration binds to the prefix
 *        | "{" uri "}" local              `{http://purl.org/dc/terms/}title`; `{}title` is in no namespace
 */
export interface XmlStep {
  attribute: boolean
  local: string
  /** Undefined: any namespace. Empty: none. */
  uri: string | undefined
  /** As written, for messages about prefixes that are not bound. */
  prefix: string | undefined
}

export interface XmlPath {
  fromRoot: boolean
  steps: XmlStep[]
}

const XML_URI = 'http://www.w3.org/XML/1998/namespace'
/** Name characters are checked by the scanner; a declaration must only not hold what ends a step. */
const STEP = /(@?)(?:\{([^{}]*)\}([^/@{}:\s]+)|(?:([^/@{}:\s]+):)?([^/@{}:\s]+))(?=\/|$)/y

/** Reads a path; a text is the reason why it is none. `namespaces` binds prefixes to URIs. */
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
  if (match === null) return at >= text.length || text[at] === '/' ? `a step is empty at position ${at + 1}` : `position ${at + 1} is not a name`
  const [, sign, uri, localInBraces, prefix, local] = match
  const bound = prefix === undefined ? uri : prefix === 'xml' ? XML_URI : Object.hasOwn(namespaces, prefix) ? namespaces[prefix] : undefined
  if (prefix !== undefined && bound === undefined) return `prefix ${prefix} is not declared in record.namespaces`
  return { step: { attribute: sign === '@', local: localInBraces ?? local, uri: bound, prefix }, end: STEP.lastIndex }
}

/** A name in a namespace as a step that `parseXmlPath` reads back. `uri` undefined: any; empty: none. */
export function xmlStepText(
  local: string,
  uri: string | undefined,
  namespaces: Readonly<Record<string, string>>,
): string {
  if (uri === undefined) return local
  const prefix = Object.keys(namespaces).find((one) => namespaces[one] === uri)
  return prefix === undefined || prefix === '' ? `{${uri}}${local}` : `${prefix}:${local}`
}
