/** A mistake in a declaration, and its place. */

/** The place of a value in the YAML: keys and indexes from the root. */
export type YamlPath = (string | number)[]

export interface Finding {
  path: YamlPath
  message: string
  suggestion?: string
}

/** Whether a text is the name of a time zone. */
export function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone }).format()
    return true
  } catch {
    return false
  }
}

/**
 * Whether a text is a regular expression. It is parsed but not compiled: compiling one of many empty
 * alternatives, such as (|)(|)x, takes twice as long with each.
 */
export function isPattern(pattern: string): boolean {
  try {
    return new RegExp(pattern, 'u').unicode
  } catch {
    return false
  }
}
