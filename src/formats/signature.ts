/**
 * Recognizes by its first bytes a document that is no text: compressed, or a file of another kind under the
 * wrong name.
 */

export type Packing = 'gzip' | 'zstd'

/** Bytes of a document that are checked before it is read. */
export const HEAD_BYTES = 16_384

export function packingOf(b: Uint8Array, start: number, end: number): Packing | undefined {
  const c0 = b[start]
  if (c0 === 0x1f) return end - start > 2 && b[start + 1] === 0x8b && b[start + 2] === 8 ? 'gzip' : undefined
  if (end - start < 4) return undefined
  if (c0 === 0x28)
    return b[start + 1] === 0xb5 && b[start + 2] === 0x2f && b[start + 3] === 0xfd ? 'zstd' : undefined
  // A frame that zstd skips. pzstd writes one first.
  return (c0 & 0xf0) === 0x50 && b[start + 1] === 0x2a && b[start + 2] === 0x4d && b[start + 3] === 0x18
    ? 'zstd'
    : undefined
}

const MAGIC: [name: string, bytes: string, at?: number][] = [
  ['Parquet', 'PAR1'],
  ['encrypted Parquet', 'PARE'],
  ['Avro', 'Obj\x01'],
  ['ORC', 'ORC'],
  ['Arrow (Feather)', 'ARROW1\0'],
  ['Feather', 'FEA1'],
  ['PDF', '%PDF-'],
  ['an SQLite database', 'SQLite format 3\0'],
  ['a tar archive', 'ustar', 257],
  ['bzip2', 'BZh'],
  ['xz', '\xfd7zXZ\0'],
  ['lz4', '\x04\x22\x4d\x18'],
  ['a 7z archive', '7z\xbc\xaf\x27\x1c'],
  ['a RAR archive', 'Rar!\x1a\x07'],
  ['snappy', '\xff\x06\0\0sNaPpY'],
  ['compress (.Z)', '\x1f\x9d'],
  ['XLS (an old Excel file)', '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1'],
  ['an RTF document', '{\\rtf1'],
  ['a PNG image', '\x89PNG\r\n\x1a\n'],
  ['a JPEG image', '\xff\xd8\xff'],
  ['a program', '\x7fELF'],
  ['EBCDIC text', '\x4c\x6f\xa7\x94'],
]

/**
 * A text file may begin with these words. They identify a format only if bytes follow that no text contains.
 */
const WORDS = new Set(['PAR1', 'PARE', 'ORC', 'FEA1', 'BZh'])

/** First bytes of everything that is no text: this one lookup clears most documents. */
const FIRST = new Uint8Array(256)
for (const [, text, at = 0] of MAGIC) if (at === 0) FIRST[text.charCodeAt(0)] = 1
for (const byte of [0, 0x50, 0xff]) FIRST[byte] = 1

/** The kind of a document by its beginning. Undefined if it may be text. */
export function foreignKind(head: Buffer): string | undefined {
  const first = head[0]
  if (FIRST[first] === 0 && head[1] !== 0 && head[257] !== 0x75) return undefined
  if (first === 0x50 && head[1] === 0x4b && head.length > 3) {
    const archive = archiveKind(head)
    if (archive !== undefined) return archive
  }
  for (const [name, text, at = 0] of MAGIC) {
    if (head.length < at + text.length || head[at] !== text.charCodeAt(0)) continue
    if (head.toString('latin1', at, at + text.length) !== text || (WORDS.has(text) && !hasControls(head)))
      continue
    return name
  }
  if (isUtf32(head)) return 'UTF-32'
  return undefined
}

function archiveKind(head: Buffer): string | undefined {
  const mark = head.readUInt16BE(2)
  if (mark === 0x0506) return 'an empty ZIP archive'
  if (mark !== 0x0304 && mark !== 0x0708) return undefined
  const text = head.toString('latin1')
  if (text.includes('xl/')) return 'XLSX (an Excel file)'
  if (text.includes('opendocument.spreadsheet')) return 'ODS (a spreadsheet)'
  if (text.includes('word/')) return 'DOCX (a Word file)'
  return text.includes('[Content_Types].xml') || text.includes('_rels/')
    ? 'an Office file (XLSX or the like)'
    : 'a ZIP archive'
}

function hasControls(head: Buffer): boolean {
  return head.subarray(0, 64).some((byte) => byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)
}

function isUtf32(b: Buffer): boolean {
  if (b.length < 4) return false
  if (b[0] === 0xff && b[1] === 0xfe && b[2] === 0 && b[3] === 0) return true
  if (b[0] === 0 && b[1] === 0 && b[2] === 0xfe && b[3] === 0xff) return true
  const first = asciiOrder(b, 0)
  return first !== undefined && (b.length < 8 || asciiOrder(b, 4) === first)
}

/** The byte order in which four bytes are one ASCII character. */
function asciiOrder(b: Buffer, at: number): 'little' | 'big' | undefined {
  if (b[at + 1] !== 0 || b[at + 2] !== 0) return undefined
  if (b[at] !== 0 && b[at + 3] === 0) return 'little'
  return b[at] === 0 && b[at + 3] !== 0 ? 'big' : undefined
}

/** Markup instead of data: an error page or a login page that was saved as a file. */
export function isHtml(head: Buffer): boolean {
  const first = head[0]
  if (first > 0x20 && first !== 0x3c && first !== 0xef) return false
  return /^(?:\xef\xbb\xbf)?\s*(?:<!--[^]*?-->\s*)?<(?:!doctype\s+html|html)[\s>]/i.test(
    head.toString('latin1', 0, 512),
  )
}
