/** Lists as one parameter of a statement. The driver's own way takes regular expressions to every value, thousands a cycle. */

/** PostgreSQL's array literal. JSON's quotes are its quotes; texts must hold no control characters, as ids, times and JSON do not. */
export function arrayOf(values: (string | null | undefined)[]): string {
  return `{${values.map((one) => (one === null || one === undefined ? 'NULL' : JSON.stringify(one))).join(',')}}`
}
