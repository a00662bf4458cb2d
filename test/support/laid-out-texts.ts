/** Texts one behind the other in one buffer, as a slab has them. */
import type { TextBytes } from '../../src/quality/text-bytes.ts'

/** The texts as one column of cells: start and length a row. `end` is where the bytes in use end. */
export function laidOut(texts: string[]): { text: TextBytes; cells: Int32Array; end(): number } {
  const cells = new Int32Array(texts.length * 2)
  let bytes = Buffer.alloc(texts.reduce((sum, cell) => sum + cell.length * 3, 64))
  let end = 0
  const append = (added: string): { start: number; length: number } => {
    const needed = end + added.length * 3
    if (needed > bytes.length) bytes = Buffer.concat([bytes], needed * 2)
    const start = end
    end += bytes.write(added, start)
    return { start, length: end - start }
  }
  texts.forEach((cell, i) => {
    const { start, length } = append(cell)
    cells[i * 2] = start
    cells[i * 2 + 1] = length
  })
  const text: TextBytes = {
    get bytes() {
      return bytes
    },
    append,
  }
  return { text, cells, end: () => end }
}
