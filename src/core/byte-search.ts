/**
 * Looks for a text in the bytes of messages that nobody could decode, on each engine alike: as a pattern over
 * the hexadecimal text of the bytes (`hex` of DuckDB and of Spark: upper case, two signs a byte).
 */

/** A byte that is a letter, a digit, or a part of a letter beyond ASCII. */
const WORD = /[0-9A-Za-z\u0080-\u00ff]/
/** Any other byte, in hexadecimal. */
const NO_WORD = '(?:[012].|3[A-F]|40|5[B-F]|60|7[B-F])'
/** Hexadecimal text of our engines has no small letters. */
const NEVER = 'x'

/**
 * A pattern that RE2 and Java read alike. It finds the UTF-8 bytes of a text where they stand by themselves:
 * `2` is found in `"id":2,` and not in `2026`, or a deletion by key would take most messages there are. An
 * empty text is found nowhere.
 */
export function hexPattern(text: string): string {
  const bytes = Buffer.from(text)
  if (bytes.length === 0) return NEVER
  const isWord = (byte: number): boolean => WORD.test(String.fromCharCode(byte))
  // Pairs from the beginning: a search in the middle of a byte would find what is not there.
  const before = isWord(bytes[0]) ? `^(?:|(?:..)*?${NO_WORD})` : '^(?:..)*?'
  const after = isWord(bytes[bytes.length - 1]) ? `(?:$|${NO_WORD})` : ''
  return `${before}${bytes.toString('hex').toUpperCase()}${after}`
}
