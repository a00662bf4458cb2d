/** The names in a CSV file's first record (RFC 4180): quotes, doubled quotes and line ends inside of them. */

export interface Header {
  names: string[]
  /** What ends the record, and by that the lines of the file. */
  newLine: '\n' | '\r\n' | '\r'
}

/** Undefined when the text ends before the record does, and when it has a stray quote. */
export function headerOf(text: string, delimiter = ',', quote = '"'): Header | undefined {
  const names: string[] = []
  let field = ''
  let quoted = false
  for (let at = text.startsWith('\uFEFF') ? 1 : 0; at < text.length; at += 1) {
    const char = text[at]
    if (quoted) {
      if (char !== quote) field += char
      else if (text[at + 1] === quote) field += text[(at += 1)]
      else if (text[at + 1] === '\n' || text[at + 1] === '\r' || text.startsWith(delimiter, at + 1))
        quoted = false
      else return undefined
    } else if (char === quote && field === '') quoted = true
    else if (text.startsWith(delimiter, at)) {
      names.push(field)
      field = ''
      at += delimiter.length - 1
    } else if (char === '\n' || char === '\r') {
      const newLine = char === '\r' && text[at + 1] === '\n' ? '\r\n' : char
      return { names: [...names, field], newLine }
    } else field += char
  }
  return undefined
}
