/**
 * Reads a CSV sample with one pair of delimiter and quote. Only for drafts: the scanner reads ingested data.
 */

export interface CsvLine {
  /** Undefined: nothing between two delimiters. An empty quoted field is an empty text. */
  fields: (string | undefined)[]
  /** Number of its first line, from 1. */
  line: number
  /** Its span in the text, without its line end. */
  start: number
  end: number
  wrong: string | undefined
}

export interface CsvLines {
  lines: CsvLine[]
  /** Where the text continues after the last complete line. */
  behind: number
  /** Number of quoted fields. */
  quoted: number
}

/** An open quote that swallows more than this is a stray quote, and not a value that was cut off. */
const OPEN_QUOTE = 64 * 1024

/** Reads the text. Drops the last line if it is `cut`. Empty lines are no records. */
export function readCsv(text: string, delimiter: string, quote: string, cut: boolean): CsvLines {
  const found: CsvLines = { lines: [], behind: 0, quoted: 0 }
  let number = 1
  let at = 0
  while (at < text.length) {
    if (text[at] === '\n' || text[at] === '\r') {
      if (text[at] === '\n' || text[at + 1] !== '\n') number += 1
      at += 1
      found.behind = at
      continue
    }
    const csvLine: CsvLine = { fields: [], line: number, start: at, end: at, wrong: undefined }
    at = readLine(text, csvLine, found, { delimiter, quote })
    csvLine.end = at
    const ended = at < text.length
    if (!ended && cut && (csvLine.wrong === undefined || at - csvLine.start < OPEN_QUOTE)) break
    found.lines.push(csvLine)
    found.behind = at
    for (let i = csvLine.start; i < at; i += 1)
      if (text[i] === '\n' || (text[i] === '\r' && text[i + 1] !== '\n')) number += 1
  }
  return found
}

/** Reads the fields of the line into it. Returns the end of the line. */
function readLine(
  text: string,
  line: CsvLine,
  found: CsvLines,
  { delimiter, quote }: { delimiter: string; quote: string },
): number {
  const isEnd = (at: number): boolean => at >= text.length || text[at] === '\n' || text[at] === '\r'
  for (let at = line.start; ; at += 1) {
    const start = at
    if (quote !== '' && text[at] === quote) {
      const close = closingQuote(text, at + 1, quote)
      found.quoted += 1
      if (close < 0) {
        line.wrong ??= 'a quote is not closed'
        return text.length
      }
      line.fields.push(text.slice(at + 1, close).replaceAll(quote + quote, quote))
      at = close + 1
      if (!isEnd(at) && text[at] !== delimiter) line.wrong ??= 'text after a closing quote'
      while (!isEnd(at) && text[at] !== delimiter) at += 1
    } else {
      while (!isEnd(at) && text[at] !== delimiter) at += 1
      line.fields.push(at === start ? undefined : text.slice(start, at))
    }
    if (isEnd(at)) return at
  }
}

function closingQuote(text: string, from: number, quote: string): number {
  for (let at = text.indexOf(quote, from); at >= 0; at = text.indexOf(quote, at + 2))
    if (text[at + 1] !== quote) return at
  return -1
}
