/** Typed records as files of each format, written in several ways that mean the same. */
import type { Cell, Placed, TypedRecord } from './typed-records.ts'
import { fieldPath } from './typed-records.ts'
import type { TypeCase } from './type-texts.ts'

export type TextFormat = 'csv' | 'ndjson' | 'json' | 'xml'

export interface TypedFile {
  name: string
  text: string
  /** By the key of each record. */
  places: [number, Placed][]
}

/** XML keeps a whole document for each reject, so that its documents are small ones. */
const RECORDS: Record<TextFormat, number> = { csv: 20_000, ndjson: 4_000, json: 2_000, xml: 60 }

/** Characters that XML 1.0 has no way to write, not even by number. */
const isInXml = (character: string): boolean =>
  character >= ' ' ? character !== '\ufffe' && character !== '\uffff' : '\t\n\r'.includes(character)

/** Whether the format can carry the text at all. */
export function isCarried(format: TextFormat, { text }: TypeCase): boolean {
  return format !== 'xml' || [...text].every(isInXml)
}

/** `most`: records of a file. */
export function typedFiles(
  format: TextFormat,
  columns: string[],
  records: TypedRecord[],
  most = Infinity,
): TypedFile[] {
  const files: TypedFile[] = []
  const size = Math.min(most, RECORDS[format])
  for (let at = 0; at < records.length; at += size) {
    const file = `${String(files.length).padStart(6, '0')}.${format}`
    files.push(placed(file, records.slice(at, at + size), WRITERS[format](columns)))
  }
  return files
}

interface Writer {
  head: string
  record(record: TypedRecord): string
  /** Behind a record, but the last one. */
  between(n: number): string
  tail: string
}

const WRITERS: Record<TextFormat, (columns: string[]) => Writer> = {
  // Lines of CSV end in each of the three ways.
  csv: (columns) => ({
    head: `n,${columns.join(',')}\n`,
    record: ({ n, cells }) =>
      `${n},${columns.map((name, i) => csvField(cells.get(name) as string | undefined, (n + i) % 3 === 0)).join(',')}`,
    between: (n) => ['\n', '\r\n', '\r'][n % 3],
    tail: '',
  }),
  ndjson: () => ({ head: '', record: jsonRecord, between: () => '\n', tail: '\n' }),
  json: () => ({ head: '[', record: jsonRecord, between: () => ',\n', tail: ']' }),
  xml: () => ({ head: '<?xml version="1.0"?>\n<r>', record: xmlRecord, between: () => '\n', tail: '</r>' }),
}

function placed(file: string, records: TypedRecord[], { head, record, between, tail }: Writer): TypedFile {
  const pieces = [head]
  const places: [number, Placed][] = []
  let line = 1 + lineEnds(head)
  for (const [ordinal, typedRecord] of records.entries()) {
    const text = `${record(typedRecord)}${ordinal === records.length - 1 ? '' : between(typedRecord.n)}`
    places.push([typedRecord.n, { file, ordinal, line }])
    line += lineEnds(text)
    pieces.push(text)
  }
  return { name: file, text: `${pieces.join('')}${tail}`, places }
}

const lineEnds = (text: string): number => text.match(/\r\n|\r|\n/g)?.length ?? 0

/** A field is quoted where it must be, and at times where it need not be. */
function csvField(text: string | undefined, quoted: boolean): string {
  if (text === undefined) return ''
  return quoted || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

const BARE = /^(-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|true|false)$/

function jsonRecord({ n, cells }: TypedRecord): string {
  const members = [...cells].map(([name, cell], i) => `"${name}":${jsonCell(cell, n + i)}`)
  return `{"n":${n}${members.map((member) => `,${member}`).join('')}}`
}

/** As characters, as escapes, or without quotes where it is a number or a word of JSON. */
function jsonText(text: string, turn: number): string {
  if (turn % 3 === 1 && BARE.test(text)) return text
  const quoted = JSON.stringify(text)
  if (turn % 3 !== 2) return quoted
  return quoted.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function jsonCell(cell: Cell, turn: number): string {
  if (typeof cell === 'string') return jsonText(cell, turn)
  const items = cell.map((item, i) =>
    typeof item === 'string' ? jsonText(item, turn + i) : jsonObject(item, turn + i),
  )
  return `[${items.join(turn % 2 === 0 ? ',' : ' , ')}]`
}

function jsonObject(fields: Record<string, string>, turn: number): string {
  const all = Object.entries(fields).map(([name, text]) => ({
    name,
    deep: isDeep(name),
    json: jsonText(text, turn),
  }))
  const member = ({ name, json }: { name: string; json: string }): string => `"${name}":${json}`
  const deep = all.filter((field) => field.deep).map(member)
  const flat = all.filter((field) => !field.deep).map(member)
  return `{${[...flat, ...(deep.length === 0 ? [] : [`"k":{${deep.join(',')}}`])].join(',')}}`
}

const isDeep = (name: string): boolean => fieldPath(Number(name.slice(1))) !== name

/** Where a column's value stands in a record: every third column of XML is an attribute. */
export const columnPath = (format: TextFormat, name: string): string =>
  format === 'xml' && /^c\d*[0369]$/.test(name) ? `@${name}` : name

function xmlRecord({ n, cells }: TypedRecord): string {
  const [attributes, elements]: [string[], string[]] = [[], []]
  for (const [i, [name, cell]] of [...cells].entries()) {
    if (columnPath('xml', name) === name) elements.push(xmlCell(name, cell, n + i))
    else attributes.push(` ${name}=${xmlQuoted(cell as string, n + i)}`)
  }
  return `<x${attributes.join('')}><n>${n}</n>${elements.join('')}</x>`
}

/** In an attribute a reader of XML makes a blank of a tab and of a line end, unless it stands as a number. */
function xmlQuoted(text: string, turn: number): string {
  const quote = turn % 2 === 0 ? '"' : "'"
  const marks = turn % 4 < 2 ? /[<&"'\t\r\n]/g : /[^ !#-%(-;=?-~]/gu
  return `${quote}${text.replace(marks, xmlMark)}${quote}`
}

/**
 * As entities, as numbers, or in CDATA, which holds no carriage return: a reader of XML makes a line feed of
 * it.
 */
function xmlText(text: string, turn: number): string {
  if (turn % 3 === 1 && !text.includes('\r') && !text.includes(']]>')) return `<![CDATA[${text}]]>`
  const marks = turn % 3 === 2 ? /[^ !#-%(-;=?-~]/gu : /[<>&\r]/g
  return text.replace(marks, xmlMark)
}

const NAMED: Record<string, string> = { '<': '&lt;', '>': '&gt;', '&': '&amp;' }
const xmlMark = (mark: string): string => NAMED[mark] ?? `&#x${(mark.codePointAt(0) as number).toString(16)};`

const element = (name: string, inner: string): string => `<${name}>${inner}</${name}>`

function xmlCell(name: string, cell: Cell, turn: number): string {
  if (typeof cell === 'string') return element(name, xmlText(cell, turn))
  return cell
    .map((item, i) =>
      element(name, typeof item === 'string' ? xmlText(item, turn + i) : xmlObject(item, turn + i)),
    )
    .join('')
}

function xmlObject(fields: Record<string, string>, turn: number): string {
  const all = Object.entries(fields).map(([name, text]) => [isDeep(name), element(name, xmlText(text, turn))])
  const of = (deep: boolean): string =>
    all.flatMap(([isDeepOne, text]) => (isDeepOne === deep ? [text] : [])).join('')
  const deep = of(true)
  return `${of(false)}${deep === '' ? '' : element('k', deep)}`
}
