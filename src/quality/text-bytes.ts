/** Texts as spans of bytes. */

/**
 * The bytes that spans point into. `append` adds text after them and returns its start; `bytes` may then be
 * another array.
 */
export interface TextBytes {
  bytes: Uint8Array
  append(text: string): { start: number; length: number }
}

export function read(text: TextBytes, start: number, length: number): string {
  const { bytes: b } = text
  return Buffer.from(b.buffer, b.byteOffset + start, length).toString('utf8')
}
