/**
 * Files made by chance, with the declaration that reads each: headers, keys and names as nobody would choose
 * them, in any encoding and packing. What they mean is not said here: `generated_files.py` reads them a
 * second time.
 */
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { makeCsv } from './generated-csv.ts'
import { makeJson } from './generated-json.ts'
import { makeXml } from './generated-xml.ts'
import { oneIn, type Encoding, type GeneratedColumn, type MadeText } from './generated-parts.ts'
import { chanceOf, type Chance } from './xml-namespaces.ts'

export interface GeneratedFile {
  name: string
  bytes: Buffer
  /** As in a declaration. */
  record: Record<string, unknown> & { format: string }
  columns: GeneratedColumn[]
  drift: 'freeze' | 'discard_value'
  /** The job lists columns; otherwise it has a declaration. */
  byColumns: boolean
}

const UNICODE = [
  'ä',
  'É',
  'ß',
  'Ж',
  '日',
  '本',
  '🙂',
  '\u200b',
  '\u00a0',
  'e\u0301',
  '§',
  '¦',
  'İ',
  '\u2028',
  '𐐷',
]
const LATIN = ['ä', 'É', 'ß', 'ÿ', '\u00a0', '§', '¦']
export const ENCODINGS: Encoding[] = [
  { label: 'utf-8', mark: '', declared: false, letters: UNICODE, lacks: 0xff },
  { label: 'utf-8', mark: '', declared: false, letters: UNICODE, lacks: 0xc0 },
  { label: 'utf-8', mark: 'utf-8', declared: false, letters: UNICODE, lacks: 0xff },
  { label: 'utf-16le', mark: 'utf-16le', declared: false, letters: UNICODE },
  { label: 'utf-16be', mark: 'utf-16be', declared: false, letters: UNICODE },
  { label: 'utf-16le', mark: '', declared: true, letters: UNICODE },
  { label: 'windows-1252', mark: '', declared: true, letters: [...LATIN, '€', 'œ', '’'], lacks: 0x81 },
  { label: 'iso-8859-15', mark: '', declared: true, letters: ['ä', 'É', '€', 'œ', '§'] },
  { label: 'iso-8859-1', mark: '', declared: true, letters: LATIN },
  { label: 'windows-1251', mark: '', declared: true, letters: ['Ж', 'я', 'б', '§', '¦', '€'], lacks: 0x98 },
  { label: 'koi8-r', mark: '', declared: true, letters: ['Ж', 'я', 'ю', '─'] },
  // The second bytes of some of these letters are | and \ by themselves.
  { label: 'shift_jis', mark: '', declared: true, letters: ['ポ', 'ソ', '表', '日', '本', 'ｱ', '§'] },
  { label: 'gb18030', mark: '', declared: true, letters: ['鄚', '日', '本', '語'] },
  { label: 'euc-kr', mark: '', declared: true, letters: ['가', '각', '日'] },
]

const MULTIBYTE = new Set(['shift_jis', 'gb18030', 'euc-kr'])
const tables = new Map<string, Map<string, Buffer>>()

/** Characters to bytes, by decoding all there are. */
function tableOf(label: string): Map<string, Buffer> {
  const known = tables.get(label)
  if (known !== undefined) return known
  const table = new Map<string, Buffer>()
  const decoder = new TextDecoder(label)
  const add = (bytes: number[]): void => {
    const char = decoder.decode(Uint8Array.from(bytes))
    if ([...char].length === 1 && char !== '\uFFFD' && !table.has(char)) table.set(char, Buffer.from(bytes))
  }
  for (let byte = 0; byte < 256; byte += 1) add([byte])
  if (MULTIBYTE.has(label))
    for (let lead = 0x81; lead < 255; lead += 1)
      for (let trail = 0x40; trail < 255; trail += 1) add([lead, trail])
  tables.set(label, table)
  return table
}

function encoded(text: string, label: string): Buffer {
  if (label === 'utf-8') return Buffer.from(text)
  if (label === 'utf-16le') return Buffer.from(text, 'utf16le')
  if (label === 'utf-16be') return Buffer.from(text, 'utf16le').swap16()
  const table = tableOf(label)
  return Buffer.concat(Array.from(text, (char) => table.get(char) ?? fail(`${label} has no ${char}`)))
}

function fail(reason: string): never {
  throw new Error(reason)
}

/** The bytes of a text; one of them may be none of the encoding. */
function bytesOf(made: MadeText, { label, mark, lacks }: Encoding): Buffer {
  const text = `${mark === '' ? '' : '\uFEFF'}${made.text}`
  if (made.brokenAt === undefined || lacks === undefined) return encoded(text, label)
  const at = Math.floor(made.text.length * made.brokenAt)
  return Buffer.concat([encoded(text.slice(0, at), label), Buffer.of(lacks), encoded(text.slice(at), label)])
}

const MAKERS = [makeCsv, makeJson, makeXml]

/** File `index` of a seed: CSV, JSON and XML in turn. */
export function generateFile(seed: number, index: number): GeneratedFile {
  const chance = chanceOf(seed * 1_000 + index)
  const encoding = oneIn(chance, 2) ? ENCODINGS[0] : chance.pick(ENCODINGS)
  const { text: _, brokenAt: __, ...made } = withBytes(chance, encoding, MAKERS[index % 3](chance, encoding))
  const name = `${String(index).padStart(3, '0')}.${made.record.format}`
  return { ...made, name }
}

function withBytes(chance: Chance, encoding: Encoding, made: MadeText): MadeText & { bytes: Buffer } {
  const plain = bytesOf(made, encoding)
  const half = chance.below(plain.length)
  const bytes = chance.pick([
    ...Array.from({ length: 6 }, () => () => plain),
    () => gzipSync(plain),
    () => zstdCompressSync(plain),
    () => Buffer.concat([gzipSync(plain.subarray(0, half)), gzipSync(plain.subarray(half))]),
  ])()
  const isDeclared = encoding.declared && made.record.format !== 'xml'
  return { ...made, bytes, record: isDeclared ? { ...made.record, encoding: encoding.label } : made.record }
}
