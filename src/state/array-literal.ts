/**
 * Lists as one parameter of a statement. The driver's own way takes regular expressions to every value,
 * thousands a cycle.
 */

/**
 * PostgreSQL's array literal of ids, whole numbers and names of letters and dashes: what needs no quotes, and
 * is read fastest without.
 */
export function arrayOf(values: (string | number | bigint | null | undefined)[]): string {
  return `{${values.map((value) => value ?? 'NULL').join(',')}}`
}

/** Of any texts. JSON's quotes are its quotes; texts must hold no control characters, as JSON does not. */
export function quotedArrayOf(values: (string | undefined)[]): string {
  return `{${values.map((value) => (value === undefined ? 'NULL' : JSON.stringify(value))).join(',')}}`
}
