/**
 * A quantile random forest (Meinshausen 2006) for regression: trees on bootstrap samples whose leaves keep
 * their targets, so that a prediction is a distribution. Each tree knows which rows it did not see: what those
 * trees say of a row is its honest prediction (out of bag). Trees lie in flat arrays: 1,000 rows are 0.8
 * megabytes.
 */

export interface Sample {
  x: number[]
  y: number
}

export interface Prediction {
  median: number
  low: number
  high: number
}

export interface Forest {
  /** `unseenRow`: only the trees answer that did not see this row; NaN when there is none. */
  predict(x: number[], unseenRow?: number): Prediction
}

export interface ForestOptions {
  trees?: number
  /** Fewest rows of a leaf. */
  minLeaf?: number
  /** Part of the targets that lie between low and high. */
  coverage?: number
  /** A number from 0 up to 1, at random; the same sequence grows the same forest. */
  chance: () => number
}

/** A rank and a row are packed into one number of 32 bits to be sorted. */
const MOST_ROWS = 65_536

/** Grows a forest. At least ten samples, fewer than 65,536; constant features do no harm. */
export function growForest(
  samples: Sample[],
  { trees = 80, minLeaf = 4, coverage = 0.8, chance }: ForestOptions,
): Forest {
  const grown = growTrees(createGrowth(samples, minLeaf, chance), trees)
  const targets = samples.map((sample) => sample.y).toSorted((a, b) => a - b)
  const weights = new Float64Array(samples.length)
  const tail = (1 - coverage) / 2
  return {
    predict(x, unseenRow) {
      weights.fill(0)
      let asked = 0
      for (const tree of grown) {
        if (unseenRow !== undefined && tree.seen[unseenRow] === 1) continue
        addLeaf(tree, x, weights)
        asked += 1
      }
      return quantiles(targets, weights, [tail * asked, asked / 2, (1 - tail) * asked])
    },
  }
}

/** Inner nodes: where x[feature] is at most `at`, the left. Leaves: feature -1, and ranks from left to right. */
interface Tree {
  feature: Int8Array
  at: Float64Array
  left: Uint16Array
  right: Uint16Array
  /** Ranks of the targets of the rows, leaf by leaf. */
  ranks: Uint16Array
  seen: Uint8Array
}

interface Growth {
  samples: Sample[]
  minLeaf: number
  chance: () => number
  /** Of each feature, the rank of each row's value; equal values share one. */
  featureRanks: Uint16Array[]
  targetRanks: Uint16Array
  /** Room for sorting. */
  keys: Uint32Array
}

function createGrowth(samples: Sample[], minLeaf: number, chance: () => number): Growth {
  const features = samples[0].x.map((_, feature) => ranksOf(samples.map((sample) => sample.x[feature])))
  const order = samples.map((_, row) => row).toSorted((a, b) => samples[a].y - samples[b].y)
  const targetRanks = new Uint16Array(samples.length)
  for (const [rank, row] of order.entries()) targetRanks[row] = rank
  const keys = new Uint32Array(samples.length)
  return { samples, minLeaf, chance, featureRanks: features, targetRanks, keys }
}

function ranksOf(values: number[]): Uint16Array {
  const distinct = new Map(
    [...new Set(values)].toSorted((a, b) => a - b).map((value, rank) => [value, rank] as const),
  )
  return Uint16Array.from(values, (value) => distinct.get(value) as number)
}

/** In a function of its own, so that a forest does not keep what it grew from. */
const growTrees = (growth: Growth, trees: number): Tree[] =>
  Array.from({ length: trees }, () => growTree(growth))

interface Nodes {
  feature: number[]
  at: number[]
  left: number[]
  right: number[]
}

function growTree(growth: Growth): Tree {
  const { length } = growth.samples
  const seen = new Uint8Array(length)
  const rows = new Uint16Array(length)
  for (let i = 0; i < length; i += 1) {
    rows[i] = Math.floor(growth.chance() * length)
    seen[rows[i]] = 1
  }
  const nodes: Nodes = { feature: [], at: [], left: [], right: [] }
  growNode(growth, nodes, { rows, from: 0, to: length })
  return {
    feature: Int8Array.from(nodes.feature),
    at: Float64Array.from(nodes.at),
    left: Uint16Array.from(nodes.left),
    right: Uint16Array.from(nodes.right),
    ranks: rows.map((row) => growth.targetRanks[row]),
    seen,
  }
}

/** Some of the rows, which lie side by side. */
interface Span {
  rows: Uint16Array
  from: number
  to: number
}

/** Adds a node with all below it and returns its number. The rows of a leaf stay side by side. */
function growNode(growth: Growth, nodes: Nodes, span: Span): number {
  const { rows, from, to } = span
  const node = nodes.feature.length
  const best = to - from < 2 * growth.minLeaf ? undefined : bestSplit(growth, span)
  nodes.feature.push(best?.feature ?? -1)
  nodes.at.push(best?.at ?? 0)
  nodes.left.push(from)
  nodes.right.push(to)
  if (best === undefined) return node
  let middle = from
  for (let i = from; i < to; i += 1) {
    if (growth.samples[rows[i]].x[best.feature] > best.at) continue
    ;[rows[middle], rows[i]] = [rows[i], rows[middle]]
    middle += 1
  }
  nodes.left[node] = growNode(growth, nodes, { rows, from, to: middle })
  nodes.right[node] = growNode(growth, nodes, { rows, from: middle, to })
  return node
}

interface Split {
  feature: number
  at: number
  gain: number
}

/**
 * The split, among some features taken at random of those that vary, that leaves the least squared error;
 * undefined when none leaves less.
 */
function bestSplit(growth: Growth, span: Span): Split | undefined {
  const { samples, chance } = growth
  const features = samples[0].x.length
  const tries = Math.max(1, Math.ceil(features * 0.6))
  const order = Array.from({ length: features }, (_, i) => i)
  let total = 0
  for (let i = span.from; i < span.to; i += 1) total += samples[span.rows[i]].y
  let best: Split | undefined
  let least = (total * total) / (span.to - span.from) + 1e-12
  let tried = 0
  for (let t = 0; t < features && tried < tries; t += 1) {
    const pick = t + Math.floor(chance() * (features - t))
    ;[order[t], order[pick]] = [order[pick], order[t]]
    if (isConstant(growth.featureRanks[order[t]], span)) continue
    tried += 1
    const found = splitOf(growth, span, { feature: order[t], total, least })
    if (found === undefined) continue
    best = found
    least = found.gain
  }
  return best
}

function isConstant(ranks: Uint16Array, { rows, from, to }: Span): boolean {
  for (let i = from + 1; i < to; i += 1) if (ranks[rows[i]] !== ranks[rows[from]]) return false
  return true
}

function splitOf(
  { samples, minLeaf, featureRanks, keys }: Growth,
  { rows, from, to }: Span,
  { feature, total, least }: { feature: number; total: number; least: number },
): Split | undefined {
  const count = to - from
  const ranks = featureRanks[feature]
  const sorted = keys.subarray(0, count)
  for (let i = 0; i < count; i += 1) sorted[i] = ranks[rows[from + i]] * MOST_ROWS + rows[from + i]
  sorted.sort()
  let best: Split | undefined
  let left = 0
  for (let i = 0; i < count - minLeaf; i += 1) {
    const row = sorted[i] % MOST_ROWS
    left += samples[row].y
    const next = sorted[i + 1] % MOST_ROWS
    if (i + 1 < minLeaf || ranks[row] === ranks[next]) continue
    const gain = (left * left) / (i + 1) + ((total - left) * (total - left)) / (count - i - 1)
    if (gain <= (best?.gain ?? least)) continue
    best = { feature, at: (samples[row].x[feature] + samples[next].x[feature]) / 2, gain }
  }
  return best
}

/** Adds the leaf's rows to the weights of their targets; each leaf weighs the same. */
function addLeaf({ feature, at, left, right, ranks }: Tree, x: number[], weights: Float64Array): void {
  let node = 0
  while (feature[node] >= 0) node = x[feature[node]] <= at[node] ? left[node] : right[node]
  const share = 1 / (right[node] - left[node])
  for (let i = left[node]; i < right[node]; i += 1) weights[ranks[i]] += share
}

/** The targets at three sums of weights, which ascend. */
function quantiles(targets: number[], weights: Float64Array, [low, median, high]: number[]): Prediction {
  if (median === 0) return { median: Number.NaN, low: Number.NaN, high: Number.NaN }
  let sum = 0
  let at = 0
  // What rounding lacks at the end is less than this.
  const upTo = (share: number): number => {
    while (at < targets.length - 1 && sum + weights[at] < share - 1e-9) {
      sum += weights[at]
      at += 1
    }
    return targets[at]
  }
  const found = [upTo(low), upTo(median), upTo(high)]
  return { low: found[0], median: found[1], high: found[2] }
}
