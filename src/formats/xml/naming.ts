/**
 * Steps of paths for the names of a sample: plain if they are unambiguous, with the namespace if two names
 * differ in nothing else.
 */
import { xmlStepText } from '../../core/xml-path.ts'

export interface XmlNaming {
  /** `ambiguous`: a sibling name has the same local part. */
  step(local: string, uri: string, ambiguous: boolean): string
  /** The prefixes in the steps, for the declaration. */
  used(): Record<string, string>
}

export function createNaming(prefixes: Map<string, string>[]): XmlNaming {
  const known: Record<string, string> = {}
  for (const scope of prefixes)
    for (const [prefix, uri] of scope)
      if (/^[A-Za-z_][\w.-]*$/.test(prefix) && !(prefix in known)) known[prefix] = uri
  const used: Record<string, string> = {}
  return {
    step(local, uri, ambiguous) {
      if (!ambiguous) return local
      if (uri !== '' && !Object.values(known).includes(uri)) known[freePrefix(known)] = uri
      const prefix = Object.keys(known).find((candidate) => known[candidate] === uri)
      if (prefix !== undefined) used[prefix] = uri
      return xmlStepText(local, uri, known)
    },
    used: () => used,
  }
}

/** The default namespace of a document has no prefix, so it gets one. */
function freePrefix(known: Record<string, string>): string {
  let n = 1
  while (`ns${n}` in known) n += 1
  return `ns${n}`
}
