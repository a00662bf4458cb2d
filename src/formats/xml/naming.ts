/** Steps of paths for the names of a sample: plain where one name is meant, with its namespace where two differ in nothing else. */
import { xmlStepText } from '../../core/xml-path.ts'

export interface XmlNaming {
  /** `ambiguous`: another name beside it has the same local part. */
  step(local: string, uri: string, ambiguous: boolean): string
  /** Prefixes that steps were written with, for the declaration. */
  used(): Record<string, string>
}

export function createNaming(prefixes: Map<string, string>[]): XmlNaming {
  const known: Record<string, string> = {}
  for (const one of prefixes) for (const [prefix, uri] of one) if (/^[A-Za-z_][\w.-]*$/.test(prefix) && !(prefix in known)) known[prefix] = uri
  const used: Record<string, string> = {}
  return {
    step(local, uri, ambiguous) {
      if (!ambiguous) return local
      const text = xmlStepText(local, uri, known)
      const prefix = Object.keys(known).find((one) => text === `${one}:${local}`)
      if (prefix !== undefined) used[prefix] = uri
      return text
    },
    used: () => used,
  }
}
