/**
 * Blanks next to quotes, which CSV readers treat differently: here they are part of the field, or a fault
 * after a closing quote; DuckDB drops them. A look at the bytes around each blank separates files that surely
 * have no such field from those that may have one.
 */

const [BLANK, LF, CR] = [0x20, 0x0a, 0x0d]

/**
 * Whether bytes[from, to) may have a quote after a blank at the start of a field, or a blank after a closing
 * quote. `from` must be at least 1, and the byte at `to` must exist.
 */
export function mayHaveBlanksAtQuotes(
  bytes: Uint8Array,
  from: number,
  to: number,
  { delimiter, quote }: { delimiter: number; quote: number },
): boolean {
  for (let at = from; at < to; at += 1) {
    if (bytes[at] !== quote) continue
    const before = bytes[at - 1]
    if (before === BLANK && isFieldBegin(bytes, at - 2, delimiter)) return true
    if (bytes[at + 1] === BLANK && !isDoubled(bytes, at, delimiter, quote)) return true
  }
  return false
}

/** Whether the blanks before `at` follow a delimiter or a line end. */
function isFieldBegin(bytes: Uint8Array, at: number, delimiter: number): boolean {
  while (at >= 0 && bytes[at] === BLANK) at -= 1
  return at < 0 || bytes[at] === delimiter || bytes[at] === LF || bytes[at] === CR
}

/**
 * Whether the quote at `at` ends a run of pairs after a byte that is part of a field: each pair is one quote
 * of the text, and closes nothing.
 */
function isDoubled(bytes: Uint8Array, at: number, delimiter: number, quote: number): boolean {
  let run = 0
  while (at - run >= 0 && bytes[at - run] === quote) run += 1
  const before = at - run < 0 ? LF : bytes[at - run]
  return run % 2 === 0 && before !== delimiter && before !== LF && before !== CR
}
