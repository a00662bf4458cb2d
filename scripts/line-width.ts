/** No line is wider than one can read beside another. The formatter wraps code; this finds what it leaves alone. */
import type { Finding, SourceFile } from './findings.ts'
import { visitNodes } from './syntax-tree.ts'

const LINE_WIDTH = 120
/** Columns of a text from which on a line may be wider. */
const LONG_TEXT = 60

/**
 * Lines over 120 columns. One may be wider for a text that takes most of it: a message, a pattern, a test's name or
 * a line of SQL is one piece, and cutting it makes it harder to find.
 */
export function checkWidth(file: SourceFile): Finding[] {
  const lines = file.text.split('\n')
  if (lines.every((line) => line.length <= LINE_WIDTH)) return []
  const texts = textsOf(file)
  let start = 0
  return lines.flatMap((line, i) => {
    const [from, to] = [start, start + line.length]
    start = to + 1
    const isLong = (text: Span): boolean => Math.min(text.end, to) - Math.max(text.start, from) >= LONG_TEXT
    if (line.length <= LINE_WIDTH || texts.some(isLong)) return []
    return [
      {
        rule: 'width',
        path: file.path,
        line: i + 1,
        message: `${line.length} columns, at most ${LINE_WIDTH}`,
      },
    ]
  })
}

interface Span {
  start: number
  end: number
}

function textsOf(file: SourceFile): Span[] {
  const found: Span[] = []
  visitNodes(file, ({ type, start, end, value }) => {
    if (type === 'TemplateLiteral' || (type === 'Literal' && typeof value !== 'number'))
      found.push({ start, end })
  })
  return found
}
