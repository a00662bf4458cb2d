/**
 * Lists as one parameter of a statement. The driver's own way applies regular expressions to every value,
 * thousands per cycle.
 */

/**
 * PostgreSQL's array literal of IDs, integers, and names of letters and dashes: values that need no quotes,
 * and that it parses fastest without.
 */
export function arrayOf(values: (string | number | bigint | null | undefined)[]): string {
  return `{${values.map((value) => value ?? 'NULL').join(',')}}`
}

/**
 * For any texts. JSON's quoting works in array literals, too. Texts must not contain control characters, as
 * in JSON.
 */
export function quotedArrayOf(values: (string | undefined)[]): string {
  return `{${values.map((value) => (value === undefined ? 'NULL' : JSON.stringify(value))).join(',')}}`
}
