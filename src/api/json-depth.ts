/**
 * Checks in the text how deep JSON nests: code that reads, checks, compares and writes it level by level
 * needs its stack.
 */
import { LIMITS } from '../core/limits.ts'

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_MAP, CLOSE_MAP] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d]

/** Levels of a body around the settings in it. */
const AROUND = 8

export function nestsTooDeep(text: string, most = LIMITS.declarationDepth + AROUND): boolean {
  let depth = 0
  let quoted = false
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i)
    if (quoted) {
      if (code === BACKSLASH) i += 1
      else if (code === QUOTE) quoted = false
    } else if (code === QUOTE) quoted = true
    else if (code === OPEN_LIST || code === OPEN_MAP) {
      depth += 1
      if (depth > most) return true
    } else if (code === CLOSE_LIST || code === CLOSE_MAP) depth -= 1
  }
  return false
}
