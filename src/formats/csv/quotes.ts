/**
 * Blanks beside quotes, which readers of CSV disagree about: here they are part of the field, or a fault
 * behind a closing quote; DuckDB leaves them out. A file that may have such fields is told from one that
 * surely has none by a look at the bytes around each blank.
 */

const [BLANK, LF, CR] = [0x20, 0x0a, 0x0d]

/**
 * Whether a quote may stand behind a blank at the begin of a field, or a blank behind a closing quote, in
 * bytes[from, to). `from` must be 1 or more, and `to` such that the byte behind it is there.
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

/** Whether blanks up to `at` stand behind a delimiter or a line end. */
function isFieldBegin(bytes: Uint8Array, at: number, delimiter: number): boolean {
  while (at >= 0 && bytes[at] === BLANK) at -= 1
  return at < 0 || bytes[at] === delimiter || bytes[at] === LF || bytes[at] === CR
}

/**
 * Whether the quote at `at` ends a run of pairs behind a byte that is part of a field: each is one quote of
 * the text, and closes nothing.
 */
function isDoubled(bytes: Uint8Array, at: number, delimiter: number, quote: number): boolean {
  let run = 0
  while (at - run >= 0 && bytes[at - run] === quote) run += 1
  const before = at - run < 0 ? LF : bytes[at - run]
  return run % 2 === 0 && before !== delimiter && before !== LF && before !== CR
}
