/**
 * Keys in order: what the batch compares with the key index, and what the index is made of. A key is 128 bits of hash, four
 * signed words compared from the first on. Sorting also finds the rows of one key: the first that arrived is kept.
 */

/** Distinct keys, four words each, ascending. */
export interface SortedKeys {
  words: Int32Array
  count: number
}

export interface ArrivedKeys extends SortedKeys {
  /** Of each key, the position of its first row. */
  positions: Float64Array
}

export interface KeyCollector {
  readonly rows: number
  add(words: Int32Array, positions: Float64Array, rows: number): void
  /** Sorts what was added. Costs 64 bytes a row while it runs, 24 a key after. */
  sorted(): ArrivedKeys
  /** Gives its memory back. */
  end(): void
  /** Begins anew with every `of`-th key only (of all keys, `part` of them in turn): less memory, more passes. */
  begin(part: number, of: number): void
}

export function createKeyCollector(expectedRows: number): KeyCollector {
  let words = new Int32Array(Math.max(1024, expectedRows) * 4)
  let positions = new Float64Array(Math.max(1024, expectedRows))
  let [rows, part, parts] = [0, 0, 1]
  const grow = (needed: number): void => {
    const size = Math.max(needed, positions.length * 2)
    const [wider, longer] = [new Int32Array(size * 4), new Float64Array(size)]
    wider.set(words)
    longer.set(positions)
    ;[words, positions] = [wider, longer]
  }
  return {
    get rows() {
      return rows
    },
    add(chunk, at, count) {
      if (rows + count > positions.length) grow(rows + count)
      if (parts === 1) {
        words.set(chunk.subarray(0, count * 4), rows * 4)
        positions.set(at.subarray(0, count), rows)
        rows += count
        return
      }
      for (let i = 0; i < count; i += 1) {
        if ((chunk[i * 4 + 3] >>> 0) % parts !== part) continue
        for (let k = 0; k < 4; k += 1) words[rows * 4 + k] = chunk[i * 4 + k]
        positions[rows] = at[i]
        rows += 1
      }
    },
    begin(next, of) {
      ;[rows, part, parts] = [0, next, of]
    },
    sorted() {
      const order = sortOrder(words, rows)
      const keys = distinct(words, positions, order)
      release(order)
      return keys
    },
    end: () => release(words, positions),
  }
}

/**
 * Order of the keys as indexes: three passes of radix sort over the first word, which travels with its index so that memory
 * is read in order (random reads made it eight times slower), then insertion among the few that share it. Stable.
 */
function sortOrder(words: Int32Array, count: number): Int32Array {
  let from: Column = { first: new Uint32Array(count), order: new Int32Array(count) }
  let to: Column = { first: new Uint32Array(count), order: new Int32Array(count) }
  for (let i = 0; i < count; i += 1) {
    from.first[i] = words[i * 4] ^ 0x80000000
    from.order[i] = i
  }
  for (const shift of [0, 11, 22]) {
    radixPass(from.first, from.order, to.first, to.order, shift)
    ;[from, to] = [to, from]
  }
  sortTies(words, from.first, from.order)
  release(from.first, to.first, to.order)
  return from.order
}

interface Column {
  first: Uint32Array
  order: Int32Array
}

function radixPass(first: Uint32Array, order: Int32Array, toFirst: Uint32Array, toOrder: Int32Array, shift: number): void {
  const count = first.length
  const starts = new Int32Array(2049)
  for (let i = 0; i < count; i += 1) starts[((first[i] >>> shift) & 2047) + 1] += 1
  for (let i = 0; i < 2048; i += 1) starts[i + 1] += starts[i]
  for (let i = 0; i < count; i += 1) {
    const to = starts[(first[i] >>> shift) & 2047]++
    toFirst[to] = first[i]
    toOrder[to] = order[i]
  }
}

function sortTies(words: Int32Array, first: Uint32Array, order: Int32Array): void {
  for (let i = 1; i < order.length; i += 1) {
    if (first[i] !== first[i - 1]) continue
    for (let j = i; j > 0 && first[j] === first[j - 1] && compareKeys(words, order[j] * 4, words, order[j - 1] * 4) < 0; j -= 1) {
      const moved = order[j]
      order[j] = order[j - 1]
      order[j - 1] = moved
    }
  }
}

function distinct(words: Int32Array, positions: Float64Array, order: Int32Array): ArrivedKeys {
  const [sorted, at] = [new Int32Array(order.length * 4), new Float64Array(order.length)]
  let count = 0
  for (let i = 0; i < order.length; i += 1) {
    const from = order[i] * 4
    const to = count * 4
    if (count > 0 && words[from] === sorted[to - 4] && words[from + 1] === sorted[to - 3] && words[from + 2] === sorted[to - 2] && words[from + 3] === sorted[to - 1]) continue
    sorted[to] = words[from]
    sorted[to + 1] = words[from + 1]
    sorted[to + 2] = words[from + 2]
    sorted[to + 3] = words[from + 3]
    at[count] = positions[order[i]]
    count += 1
  }
  return { words: sorted.subarray(0, count * 4), positions: at.subarray(0, count), count }
}

/** The keys for which `found` is 0, in their order. */
export function missingKeys(keys: ArrivedKeys, found: Uint8Array): ArrivedKeys {
  const [words, positions] = [new Int32Array(keys.count * 4), new Float64Array(keys.count)]
  let count = 0
  for (let i = 0; i < keys.count; i += 1) {
    if (found[i] !== 0) continue
    for (let k = 0; k < 4; k += 1) words[count * 4 + k] = keys.words[i * 4 + k]
    positions[count] = keys.positions[i]
    count += 1
  }
  return { words: words.subarray(0, count * 4), positions: positions.subarray(0, count), count }
}

/**
 * Frees memory at once. Arrays of megabytes are a few bytes to the garbage collector, which comes when it pleases: a batch held
 * 150 MB of dead ones beside DuckDB's, and passed its limit.
 */
export function release(...arrays: (Int32Array | Uint32Array | Float64Array | Uint8Array)[]): void {
  for (const array of arrays) if (array.buffer.byteLength > 0) (array.buffer as ArrayBuffer).transfer(0)
}

export function compareKeys(a: Int32Array, i: number, b: Int32Array, j: number): number {
  for (let k = 0; k < 4; k += 1) if (a[i + k] !== b[j + k]) return a[i + k] < b[j + k] ? -1 : 1
  return 0
}
