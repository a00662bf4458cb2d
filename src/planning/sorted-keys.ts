/**
 * Keys in order: the batch compares them with the key index, which consists of them. A key is 128 bits of
 * hash: four signed words, compared from the first on. Sorting also finds the rows of one key: the first that
 * arrived is kept.
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

/** Rows side by side: four words of a key and a position each. */
interface KeyRows {
  words: Int32Array
  positions: Float64Array
}

export interface KeyCollector {
  readonly rows: number
  add(words: Int32Array, positions: Float64Array, rows: number): void
  /**
   * Sorts the added rows in place: the keys are valid until `begin` or `end`. It takes 48 bytes per row while
   * it runs, 24 after.
   */
  sorted(): ArrivedKeys
  /** Frees its memory. */
  end(): void
  /** Starts again with only every `of`-th key (in turn, `part` covers all keys): less memory, more passes. */
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
      const count = sortDistinct(words, positions, rows)
      return { words: words.subarray(0, count * 4), positions: positions.subarray(0, count), count }
    },
    end: () => release(words, positions),
  }
}

/** Rows of a bucket: its keys and positions fit the processor's cache while they are sorted. */
const BUCKET_ROWS = 4096
/**
 * Bins of a bucket, by the bits after those that chose the bucket. Keys are hashes, so a bin has about one
 * key.
 */
const BIN_BITS = 12
/**
 * A bin with more rows has one key many times, or happens by chance: it is sorted by comparison instead of
 * insertion.
 */
const INSERT_ROWS = 48

/**
 * Sorts rows by key, keeps only the first row (the one with the lowest position) of each, and writes them
 * back over the input. Returns how many are left. Rows are dealt to buckets by their first bits, so memory is
 * read and written in order, and each bucket is sorted in cache: half the time of a radix sort of indexes,
 * whose last step reads every key at random.
 */
function sortDistinct(words: Int32Array, positions: Float64Array, rows: number): number {
  const bits = Math.min(16, Math.max(1, Math.ceil(Math.log2(Math.max(2, rows / BUCKET_ROWS)))))
  const all: KeyRows = { words, positions }
  const dealt: KeyRows = { words: new Int32Array(rows * 4), positions: new Float64Array(rows) }
  const starts = deal(all, rows, 32 - bits, dealt)
  const longest = starts.reduce((most, start, i) => Math.max(most, (starts[i + 1] ?? start) - start), 0)
  const order = new Int32Array(longest)
  let count = 0
  for (let bucket = 0; bucket + 1 < starts.length; bucket += 1) {
    const ordered = order.subarray(0, starts[bucket + 1] - starts[bucket])
    sortBucket(dealt.words, starts[bucket], ordered, 32 - bits - BIN_BITS)
    count = appendDistinct(dealt, ordered, all, count)
  }
  release(dealt.words, dealt.positions)
  return count
}

/** Copies rows to their buckets, in order of arrival. Returns the start of each bucket, and the end. */
function deal(
  { words, positions }: KeyRows,
  rows: number,
  shift: number,
  { words: toWords, positions: toPositions }: KeyRows,
): Int32Array {
  const next = new Int32Array(2 ** (32 - shift) + 1)
  for (let i = 0; i < rows; i += 1) next[((words[i * 4] ^ 0x80000000) >>> shift) + 1] += 1
  for (let i = 1; i < next.length; i += 1) next[i] += next[i - 1]
  const starts = next.slice()
  for (let i = 0; i < rows; i += 1) {
    const from = i * 4
    const row = next[(words[from] ^ 0x80000000) >>> shift]++
    const to = row * 4
    toWords[to] = words[from]
    toWords[to + 1] = words[from + 1]
    toWords[to + 2] = words[from + 2]
    toWords[to + 3] = words[from + 3]
    toPositions[row] = positions[i]
  }
  return starts
}

const bins = new Int32Array(2 ** BIN_BITS + 1)

/** Fills `order` with the rows from `start` on, in order of their keys. */
function sortBucket(words: Int32Array, start: number, order: Int32Array, shift: number): void {
  const mask = 2 ** BIN_BITS - 1
  bins.fill(0)
  for (let i = 0; i < order.length; i += 1) bins[((words[(start + i) * 4] >>> shift) & mask) + 1] += 1
  for (let i = 1; i < bins.length; i += 1) bins[i] += bins[i - 1]
  for (let i = 0; i < order.length; i += 1)
    order[bins[(words[(start + i) * 4] >>> shift) & mask]++] = start + i
  // From here, the entry of each bin is its end.
  for (let bin = 0, from = 0; bin <= mask; bin += 1) {
    const end = bins[bin]
    if (end - from > INSERT_ROWS)
      order.subarray(from, end).sort((a, b) => compareKeys(words, a * 4, words, b * 4))
    else if (end - from > 1) insertionSort(words, order, from, end)
    from = end
  }
}

function insertionSort(words: Int32Array, order: Int32Array, from: number, end: number): void {
  for (let i = from + 1; i < end; i += 1) {
    const moved = order[i]
    let j = i
    for (; j > from && compareKeys(words, moved * 4, words, order[j - 1] * 4) < 0; j -= 1)
      order[j] = order[j - 1]
    order[j] = moved
  }
}

/**
 * Appends the rows of a sorted bucket after the first `count`. Of equal keys, the lowest position stays:
 * threads of an engine add rows in any order.
 */
function appendDistinct(
  { words, positions }: KeyRows,
  order: Int32Array,
  { words: sorted, positions: at }: KeyRows,
  count: number,
): number {
  for (let i = 0; i < order.length; i += 1) {
    const from = order[i] * 4
    const to = count * 4
    if (
      count > 0 &&
      words[from] === sorted[to - 4] &&
      words[from + 1] === sorted[to - 3] &&
      words[from + 2] === sorted[to - 2] &&
      words[from + 3] === sorted[to - 1]
    ) {
      if (positions[order[i]] < at[count - 1]) at[count - 1] = positions[order[i]]
      continue
    }
    sorted[to] = words[from]
    sorted[to + 1] = words[from + 1]
    sorted[to + 2] = words[from + 2]
    sorted[to + 3] = words[from + 3]
    at[count] = positions[order[i]]
    count += 1
  }
  return count
}

/** The keys for which `found` is 0, in their order. */
export function missingKeys(keys: ArrivedKeys, found: Uint8Array): ArrivedKeys {
  const { words: known } = keys
  const [words, positions] = [new Int32Array(keys.count * 4), new Float64Array(keys.count)]
  let count = 0
  for (let i = 0; i < keys.count; i += 1) {
    if (found[i] !== 0) continue
    const [from, to] = [i * 4, count * 4]
    words[to] = known[from]
    words[to + 1] = known[from + 1]
    words[to + 2] = known[from + 2]
    words[to + 3] = known[from + 3]
    positions[count] = keys.positions[i]
    count += 1
  }
  return { words: words.subarray(0, count * 4), positions: positions.subarray(0, count), count }
}

/**
 * Frees memory at once. The garbage collector sees arrays of megabytes as a few bytes and comes late: a batch
 * held 150 MB of dead arrays beside DuckDB's memory and passed its limit.
 */
export function release(...arrays: (Int32Array | Uint32Array | Float64Array | Uint8Array)[]): void {
  for (const array of arrays) if (array.buffer.byteLength > 0) (array.buffer as ArrayBuffer).transfer(0)
}

export function compareKeys(a: Int32Array, i: number, b: Int32Array, j: number): number {
  for (let k = 0; k < 4; k += 1) if (a[i + k] !== b[j + k]) return a[i + k] < b[j + k] ? -1 : 1
  return 0
}
