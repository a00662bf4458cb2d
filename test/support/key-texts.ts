/** Parts of keys of several columns, in each pair. */

/**
 * Each tells a way of joining the parts that is wrong: with a sign between them, with null as a text, with
 * lengths in the wrong unit.
 */
const TEXTS = [
  null,
  '',
  '-',
  '0:',
  '1:x',
  'x',
  '\u0000',
  '\u001f',
  'x\u001fy',
  'y',
  'y\u001fz',
  'z',
  '3:',
  '-1:x',
  'ä',
  '\u{1f600}',
  'null',
]

export const KEY_PAIRS = TEXTS.flatMap((a) => TEXTS.map((b) => ({ a, b })))
