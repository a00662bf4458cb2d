/**
 * The names in the first record of a CSV file (RFC 4180): quotes, doubled quotes, and line ends inside them.
 */

export interface Header {
  names: string[]
  /** The line end of the record, and so of the file. */
  newLine: '\n' | '\r\n' | '\r'
}

/** Undefined if the text ends before the record does, or if the record has a stray quote. */
export function headerOf(text: string, delimiter = ',', quote = '"'): Header | undefined {
  const names: string[] = []
  for (let at = text.startsWith('\uFEFF') ? 1 : 0; ; at += delimiter.length) {
    const field = text[at] === quote ? quotedField(text, at, delimiter) : plainField(text, at, delimiter)
    if (field === undefined) return undefined
    names.push(field.value)
    at = field.end
    if (text.startsWith(delimiter, at)) continue
    return { names, newLine: text.startsWith('\r\n', at) ? '\r\n' : (text[at] as '\n' | '\r') }
  }
}

interface Field {
  value: string
  /** The position of the delimiter or the line end after it. */
  end: number
}

function quotedField(text: string, open: number, delimiter: string): Field | undefined {
  const quote = text[open]
  let value = ''
  for (let at = open + 1; at < text.length; at += 1) {
    if (text[at] !== quote) value += text[at]
    else if (text[at + 1] === quote) value += text[(at += 1)]
    else return endsField(text, at + 1, delimiter) ? { value, end: at + 1 } : undefined
  }
  return undefined
}

function plainField(text: string, start: number, delimiter: string): Field | undefined {
  for (let at = start; at < text.length; at += 1)
    if (endsField(text, at, delimiter)) return { value: text.slice(start, at), end: at }
  return undefined
}

const endsField = (text: string, at: number, delimiter: string): boolean =>
  text[at] === '\n' || text[at] === '\r' || text.startsWith(delimiter, at)
