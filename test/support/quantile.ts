/**
 * The value below which a share of all values lies, by rank: for what was measured, without assumptions
 * between two values.
 */
export function quantile(values: number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]
}
