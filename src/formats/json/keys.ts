/** Keys of one object that the declaration does not know: finds repetitions. */
import { hashOf } from './shape.ts'
import type { KeyLedger, ScanState } from './scan-state.ts'

/** More keys than this are looked up in a set: comparing each pair would be quadratic. */
const FEW = 16

/** Starts an object at the present depth. */
export function beginKeys(s: ScanState): KeyLedger {
  const ledger = s.ledgers[s.depth]
  ledger.count = 0
  ledger.names = undefined
  return ledger
}

/** Records the last key. True if the object already has it. Keys that differ only in escapes are equal. */
export function isSecond(s: ScanState, ledger: KeyLedger): boolean {
  if (ledger.names !== undefined) return isInSet(s, ledger.names)
  const b = s.slab.bytes
  const { keyStart, keyLength } = s
  const { hashes, starts, lengths, count } = ledger
  const hash = hashOf(b, keyStart, keyLength)
  for (let i = 0; i < count; i += 1)
    if (hashes[i] === hash && lengths[i] === keyLength && isEqual(b, starts[i], keyStart, keyLength))
      return true
  if (count === FEW) {
    ledger.names = new Set(Array.from(starts, (start, i) => b.toString('utf8', start, start + lengths[i])))
    return isInSet(s, ledger.names)
  }
  hashes[count] = hash
  starts[count] = keyStart
  lengths[count] = keyLength
  ledger.count = count + 1
  return false
}

function isInSet(s: ScanState, names: Set<string>): boolean {
  const { size } = names
  names.add(s.slab.bytes.toString('utf8', s.keyStart, s.keyStart + s.keyLength))
  return names.size === size
}

function isEqual(b: Uint8Array, left: number, right: number, length: number): boolean {
  for (let i = 0; i < length; i += 1) if (b[left + i] !== b[right + i]) return false
  return true
}
