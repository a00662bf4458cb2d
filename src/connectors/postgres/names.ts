/** The notations of a table name in PostgreSQL, and the names that they can mean. */

/** PostgreSQL silently truncates longer names, so they would mean another table. */
const MOST_NAME_BYTES = 63

/** The parts of a name: `["schema", "table"]`, or `["table"]`. */
export type TableName = string[]

/**
 * The names that `text` can mean, the likeliest first. Dots separate parts. A part that starts with a quote
 * ends with one, and a doubled quote inside is a quote. Without quotes, every letter counts as written, and
 * dots may belong to a name: `a.b` is table `b` of schema `a`, or else the table `a.b`.
 */
export function namesMeantBy(text: string, database?: string): TableName[] {
  const parsed = partsOf(text)
  const inThis =
    parsed !== undefined && parsed.length === 3 && parsed[0] === database ? parsed.slice(1) : parsed
  const dots = [...text.matchAll(/\./g)].map(({ index }) => index)
  const found: TableName[] = [...(inThis === undefined ? [] : [inThis]), [text]]
  for (const at of dots) {
    const halves = [partsOf(text.slice(0, at)), partsOf(text.slice(at + 1))]
    found.push([text.slice(0, at), text.slice(at + 1)], [halves[0]?.[0] ?? '', text.slice(at + 1)])
    if (halves[1]?.length === 1) found.push([text.slice(0, at), halves[1][0]])
  }
  // Without quotes, PostgreSQL itself uses lower case.
  if (inThis !== undefined && !text.includes('"')) found.push(inThis.map((part) => part.toLowerCase()))
  const usable = found.filter((name) => name.length <= 2 && name.every(isName))
  return usable.filter((name, i) => usable.findIndex((other) => other.join('\0') === name.join('\0')) === i)
}

function isName(part: string): boolean {
  return part !== '' && Buffer.byteLength(part) <= MOST_NAME_BYTES
}

/** Undefined for an invalid notation: an unclosed quote, or text after a closing one. */
function partsOf(text: string): string[] | undefined {
  const parts: string[] = []
  for (let at = 0; ; at += 1) {
    const quoted = text[at] === '"' ? /"((?:[^"]|"")*)"/y : /([^.]*)/y
    quoted.lastIndex = at
    const match = quoted.exec(text)
    if (match === null) return undefined
    parts.push(text[at] === '"' ? match[1].replaceAll('""', '"') : match[1])
    at = quoted.lastIndex
    if (at === text.length) return parts
    if (text[at] !== '.') return undefined
  }
}
