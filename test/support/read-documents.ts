/** Bytes as the text finder and the text stream read them, or the fault that they find. */
import { expect } from 'vitest'
import { appendBytes, createSlab } from '../../src/core/slab.ts'
import { createTextFinder, openText, type DocumentSettings } from '../../src/formats/document.ts'

export const CSV: DocumentSettings = { format: 'csv', encoding: '', mayBeEmpty: false }

/** The marks with which texts may begin. */
export const MARK = {
  le: Buffer.from([0xff, 0xfe]),
  be: Buffer.from([0xfe, 0xff]),
  utf8: Buffer.from([0xef, 0xbb, 0xbf]),
}

/** The text, or `rule: reason`. */
export function whole(bytes: Buffer, settings: Partial<DocumentSettings> = {}): string {
  const slab = createSlab(16)
  appendBytes(slab, Buffer.from('what stands before'))
  const start = appendBytes(slab, bytes)
  const finder = createTextFinder({ ...CSV, ...settings })
  const fault = finder.find(slab, start, slab.end)
  expect(slab.bytes.subarray(start, start + bytes.length).equals(bytes), 'the message keeps its bytes').toBe(
    true,
  )
  return fault === undefined
    ? slab.bytes.toString('utf8', finder.start, finder.end)
    : `${fault.rule}: ${fault.reason}`
}

export async function* cut(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

export async function streamed(
  bytes: Buffer,
  size: number,
  settings: Partial<DocumentSettings> = {},
): Promise<string> {
  const text = openText(cut(bytes, size), { ...CSV, ...settings })
  const chunks: Buffer[] = []
  for await (const chunk of text.chunks) chunks.push(chunk)
  return text.fault === undefined
    ? Buffer.concat(chunks).toString('utf8')
    : `${text.fault.rule}: ${text.fault.reason}`
}
