/** Values that the declaration does not know, reported field by field. */
import { appendJsonStep } from '../../core/json-path.ts'
import { beginKeys, isSecond } from './keys.ts'
import { noteValue } from './notes.ts'
import { unexpected, type ScanState } from './scan-state.ts'
import { CLOSE, COMMA, LETTER_N, OPEN, keyText, readKey, skipSpace } from './tokens.ts'
import { enter, skipHeld, skipValue } from './values.ts'

/** Why drift cannot turn a field into a column: a path cannot name one of several items. */
const IN_ITEM = 'is a field of an array item and cannot become a column'

/**
 * Reports the value at `p`, which no column takes. An object with fields is reported as its fields, anything
 * else (an empty object, an array) as one value, and null not at all. Returns the position after it.
 */
export function reportUnknown(s: ScanState, p: number, path: string, isInItem: boolean): number {
  if (s.bytes[p] === OPEN && s.bytes[skipSpace(s, p + 1)] !== CLOSE) return reportFields(s, p, path, isInItem)
  const end = skipHeld(s, p, path)
  if (s.bytes[p] !== LETTER_N)
    noteValue(s, 'unexpected', path, { from: p, end, reason: isInItem ? `${path} ${IN_ITEM}` : undefined })
  return end
}

function reportFields(s: ScanState, from: number, path: string, isInItem: boolean): number {
  enter(s, from)
  const b = s.bytes
  const ledger = beginKeys(s)
  let p = skipSpace(s, from + 1)
  for (;;) {
    p = readKey(s, p)
    const inner = appendJsonStep(path, keyText(s))
    p = isSecond(s, ledger) ? reportRepeated(s, p, inner) : reportUnknown(s, p, inner, isInItem)
    p = skipSpace(s, p)
    if (b[p] === CLOSE) break
    if (b[p] !== COMMA) throw unexpected(s, p, 'a comma or }')
    p = skipSpace(s, p + 1)
  }
  s.depth -= 1
  return p + 1
}

/** Reports the second value of a key. The first one counts. */
export function reportRepeated(s: ScanState, p: number, path: string): number {
  const end = skipValue(s, p, false)
  noteValue(s, 'repeated', path, { from: p, end })
  return end
}
