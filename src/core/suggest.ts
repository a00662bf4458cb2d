/** "Did you mean": the known word nearest to a mistyped one. */

/** What is longer was not mistyped but meant, and comparing it would cost. */
const LONGEST_WORD = 64

/**
 * The nearest of `known` within a third of the word's length, or undefined. Damerau-Levenshtein, restricted
 * form.
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > LONGEST_WORD) return undefined
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of known) {
    // The distance is at least the difference of the lengths.
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

function editDistance(a: string, b: string): number {
  let [before, last, row] = [
    new Uint16Array(b.length + 1),
    Uint16Array.from({ length: b.length + 1 }, (_, j) => j),
    new Uint16Array(b.length + 1),
  ]
  for (let i = 1; i <= a.length; i += 1) {
    row[0] = i
    for (let j = 1; j <= b.length; j += 1) {
      const swap =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? before[j - 2] + 1 : Infinity
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1), swap)
    }
    ;[before, last, row] = [last, row, before]
  }
  return last[b.length]
}
