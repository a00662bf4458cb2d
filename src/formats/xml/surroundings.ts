/**
 * What stands around a record of a large file: the start tags of its ancestors as they were written, with the namespaces
 * they bound. Between them the record's own bytes are a document that is read as the file was.
 */
import { textOf } from './names.ts'
import type { ScanState } from './scan-state.ts'

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '"': '&quot;', '\t': '&#9;', '\n': '&#10;', '\r': '&#13;' }

/** Notes for a row of a large file which elements its record stands in. */
export function noteSurroundings(s: ScanState, row: number): void {
  if (s.surroundings === -1) {
    const now = surroundingsOf(s)
    const last = s.surrounds.at(-1)
    if (last === undefined || last[0] !== now[0]) s.surrounds.push(now)
    s.surroundings = s.surrounds.length - 1
  }
  if (row >= s.rowSurrounds.length) {
    const grown = new Int32Array(Math.max(row + 1, s.rowSurrounds.length * 2))
    grown.set(s.rowSurrounds)
    s.rowSurrounds = grown
  }
  s.rowSurrounds[row] = s.surroundings
}

function surroundingsOf(s: ScanState): readonly [string, string] {
  let before = ''
  let after = ''
  for (let depth = 1; depth < s.shape.recordDepth; depth += 1) {
    const written = textOf(s.names, s.nameEnds[depth - 1], s.nameEnds[depth])
    const name = written === '' ? s.nodes[depth]?.local : written
    before += `<${name}${declarationsAt(s, depth)}>`
    after = `</${name}>${after}`
  }
  return [before, after]
}

function declarationsAt(s: ScanState, depth: number): string {
  const bound = s.bindings.filter((one) => one.depth === depth)
  return bound.map(({ prefix, uri }) => ` xmlns${prefix === '' ? '' : ':'}${prefix}="${uri.replace(/[&<"\t\n\r]/g, (c) => ESCAPES[c])}"`).join('')
}
