/**
 * Chooses, among the delta's rows, the first of each key that is not published yet. One open-addressing table over
 * 128-bit hashes, 40 bytes a row at most; the delta's size is bounded by the batch's plan.
 */

export interface KeyPicker {
  readonly rows: number
  readonly distinct: number
  readonly words: Int32Array
  readonly positions: Float64Array
  /** Adds a chunk in order; of rows with one key the first is kept. */
  add(words: Int32Array, positions: Float64Array, rows: number): void
}

export function createKeyPicker(expectedRows: number): KeyPicker {
  let capacity = Math.max(1024, expectedRows)
  let words = new Int32Array(capacity * 4)
  let positions = new Float64Array(capacity)
  let mask = tableSize(capacity) - 1
  let slots = new Int32Array(mask + 1).fill(-1)
  let distinct = 0
  let rows = 0

  const grow = (): void => {
    capacity *= 2
    const wider = new Int32Array(capacity * 4)
    wider.set(words)
    words = wider
    const longer = new Float64Array(capacity)
    longer.set(positions)
    positions = longer
    mask = tableSize(capacity) - 1
    slots = new Int32Array(mask + 1).fill(-1)
    for (let entry = 0; entry < distinct; entry += 1) {
      let slot = words[entry * 4 + 1] & mask
      while (slots[slot] >= 0) slot = (slot + 1) & mask
      slots[slot] = entry
    }
  }

  return {
    get rows() {
      return rows
    },
    get distinct() {
      return distinct
    },
    get words() {
      return words
    },
    get positions() {
      return positions
    },
    add(chunk, at, count) {
      rows += count
      if (distinct + count > capacity) grow()
      for (let i = 0; i < count; i += 1) {
        const [a, b, c, d] = [chunk[i * 4], chunk[i * 4 + 1], chunk[i * 4 + 2], chunk[i * 4 + 3]]
        let slot = b & mask
        let entry = slots[slot]
        while (entry >= 0 && (words[entry * 4] !== a || words[entry * 4 + 1] !== b || words[entry * 4 + 2] !== c || words[entry * 4 + 3] !== d)) {
          slot = (slot + 1) & mask
          entry = slots[slot]
        }
        if (entry >= 0) continue
        slots[slot] = distinct
        words[distinct * 4] = a
        words[distinct * 4 + 1] = b
        words[distinct * 4 + 2] = c
        words[distinct * 4 + 3] = d
        positions[distinct] = at[i]
        distinct += 1
      }
    },
  }
}

function tableSize(rows: number): number {
  let size = 2048
  while (size < rows * 1.6) size *= 2
  return size
}
