/** "Did you mean": the known word nearest to a mistyped one. */

/** A longer word is not a typo, and comparing it would be expensive. */
const LONGEST_WORD = 64
/** More than any distance. */
const FAR = 1_000

/**
 * The nearest of `known` within a third of the word's length, or undefined. The distance is
 * Damerau-Levenshtein in its restricted form.
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > LONGEST_WORD) return undefined
  const wanted = word.toLowerCase()
  let best: string | undefined
  let most = Math.max(1, Math.floor(word.length / 3))
  for (const candidate of known) {
    // The distance is at least the difference of the lengths.
    if (Math.abs(candidate.length - word.length) > most) continue
    const distance = editDistance(wanted, candidate.toLowerCase(), most)
    if (distance <= most) [best, most] = [candidate, distance - 1]
  }
  return best
}

/** The distance, or any number above `most`: cells far from the diagonal are skipped. */
function editDistance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return FAR
  let [before, last, row] = [
    new Uint16Array(b.length + 2),
    Uint16Array.from({ length: b.length + 2 }, (_, j) => j),
    new Uint16Array(b.length + 2),
  ]
  let leastOfLast = 0
  for (let i = 1; i <= a.length; i += 1) {
    const [from, to] = [Math.max(1, i - most), Math.min(b.length, i + most)]
    row[from - 1] = from === 1 ? i : FAR
    row[to + 1] = FAR
    let least = row[from - 1]
    const [here, above] = [a.charCodeAt(i - 1), a.charCodeAt(i - 2)]
    for (let j = from; j <= to; j += 1) {
      const there = b.charCodeAt(j - 1)
      let cell = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (here === there ? 0 : 1))
      const isSwap = i > 1 && j > 1 && here === b.charCodeAt(j - 2) && above === there
      if (isSwap) cell = Math.min(cell, before[j - 2] + 1)
      row[j] = cell
      if (cell < least) least = cell
    }
    // A swap spans two rows.
    if (least > most && leastOfLast >= most) return FAR
    leastOfLast = least
    ;[before, last, row] = [last, row, before]
  }
  return last[b.length]
}
