/**
 * Searches the bytes of messages that Headrace could not decode, in the same way on each engine: with a
 * pattern over their hexadecimal text (`hex` of DuckDB and of Spark: upper case, two digits per byte).
 */

/** A byte that is a letter, a digit, or a part of a letter beyond ASCII. */
const WORD = /[0-9A-Za-z\u0080-\u00ff]/
/** Any other byte, in hexadecimal digits. */
const NO_WORD = '(?:[012].|3[A-F]|40|5[B-F]|60|7[B-F])'
/** The hexadecimal text of our engines has no lower-case letters. */
const NEVER = 'x'

/**
 * A pattern that RE2 and Java read alike. It finds the UTF-8 bytes of a text as a whole word: `2` matches in
 * `"id":2,` and not in `2026`; otherwise a deletion by key would hit most messages. An empty text matches
 * nothing.
 */
export function hexPattern(text: string): string {
  const bytes = Buffer.from(text)
  if (bytes.length === 0) return NEVER
  const isWord = (byte: number): boolean => WORD.test(String.fromCharCode(byte))
  // Match pairs of digits from the beginning: a match that starts in the middle of a byte would be wrong.
  const before = isWord(bytes[0]) ? `^(?:|(?:..)*?${NO_WORD})` : '^(?:..)*?'
  const after = isWord(bytes[bytes.length - 1]) ? `(?:$|${NO_WORD})` : ''
  return `${before}${bytes.toString('hex').toUpperCase()}${after}`
}
