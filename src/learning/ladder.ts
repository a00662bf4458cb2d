/**
 * Predictions that never fall as a job grows. A forest is a step function with noise: it may say less for
 * twice the volume. So it is asked at fixed volumes (knots, eight a decade, from the least to the greatest
 * that was seen), and the answer is the highest of what it says at all smaller volumes, with as many or fewer
 * tables, and at the same or a lower complexity. Between two knots the answer is on the line between them. The
 * bounds of the interval climb in the same way, each for itself.
 */
import type { Forest, Prediction } from './forest.ts'
import { AT, logVolume, vectorOf, type PastRun, type RunFeatures } from './past-run.ts'
import { COMPLEXITY, type Complexity } from './rules.ts'

/** Volumes without a gap of more than a decade. */
export interface Span {
  fromGb: number
  toGb: number
}

export interface Seen {
  /** Ascending; none when no two tenants have anything in common. */
  volumes: Span[]
  fromTables: number
  toTables: number
  /** The lowest first. */
  levels: Complexity[]
}

export interface Ladder {
  /** Volumes (log10), ascending. */
  knots: number[]
  /** Whether what the forest says at a knot counts, and whether it does between a knot and the next. */
  usable: boolean[]
  joined: boolean[]
  levels: Complexity[]
  /** Table counts, ascending. */
  tables: number[]
}

const KNOTS_A_DECADE = 8
const MOST_TABLE_COUNTS = 6
export const LEVELS = Object.keys(COMPLEXITY) as Complexity[]

/** Two runs farther apart say nothing of what lies between them. */
const WIDEST_GAP = 10

/**
 * What was seen. Where several tenants ran, it takes two of them to have seen something: the range ends where
 * only one tenant goes on.
 */
export function seenIn(runs: PastRun[]): Seen {
  const tenants = [...Map.groupBy(runs, (run) => run.tenantId).values()]
  const witnesses = Math.min(2, tenants.length)
  const least = (of: (run: PastRun) => number): number =>
    tenants.map((own) => Math.min(...own.map(of))).toSorted((a, b) => a - b)[witnesses - 1]
  const most = (of: (run: PastRun) => number): number => -least((run) => -of(run))
  const [fromGb, toGb] = [least((run) => run.dataVolumeGb), most((run) => run.dataVolumeGb)]
  return {
    volumes: spansOf(runs.map((run) => run.dataVolumeGb).filter((gb) => gb >= fromGb && gb <= toGb)),
    fromTables: least((run) => run.tableCount),
    toTables: most((run) => run.tableCount),
    levels: LEVELS.filter(
      (level) => tenants.filter((own) => own.some((run) => run.complexity === level)).length >= witnesses,
    ),
  }
}

function spansOf(volumes: number[]): Span[] {
  const spans: Span[] = []
  for (const gb of volumes.toSorted((a, b) => a - b)) {
    const last = spans.at(-1)
    if (last === undefined || gb > last.toGb * WIDEST_GAP) spans.push({ fromGb: gb, toGb: gb })
    else last.toGb = gb
  }
  return spans
}

export const spanAt = (seen: Seen, gb: number): Span | undefined =>
  seen.volumes.find((span) => gb >= span.fromGb && gb <= span.toGb)

/** `isTrusted`: whether the forest's word counts in a decade. */
export function ladderOf(
  runs: PastRun[],
  seen: Seen,
  isTrusted = (_decade: number): boolean => true,
): Ladder {
  const knots: number[] = []
  const joined: boolean[] = []
  for (const span of seen.volumes) {
    const own = knotsOf(span)
    knots.push(...own)
    // Tens are knots: from one to the next is one decade.
    joined.push(...own.map((knot, k) => k < own.length - 1 && isTrusted(Math.floor(knot))))
  }
  const usable = knots.map((knot, k) => joined[k] || joined[k - 1] === true || isTrusted(Math.floor(knot)))
  const counts = [...new Set(runs.map((run) => run.tableCount))]
    .filter((count) => count >= seen.fromTables && count <= seen.toTables)
    .toSorted((a, b) => a - b)
  const step = Math.max(1, (counts.length - 1) / (MOST_TABLE_COUNTS - 1))
  const tables = counts.filter((_, i) => Math.round(Math.round(i / step) * step) === i)
  return { knots, usable, joined, levels: seen.levels, tables }
}

function knotsOf({ fromGb, toGb }: Span): number[] {
  const [from, to] = [logVolume(fromGb), logVolume(toGb)]
  const knots = [from]
  for (let k = Math.floor(from * KNOTS_A_DECADE) + 1; k / KNOTS_A_DECADE < to; k += 1)
    knots.push(k / KNOTS_A_DECADE)
  return to > from ? [...knots, to] : knots
}

/** A job, with its volume as a logarithm. */
export interface Point {
  features: RunFeatures
  volume: number
}

export const pointOf = (features: RunFeatures): Point => ({
  features,
  volume: logVolume(features.dataVolumeGb),
})

/** What the forest says of a job, climbing. `unseenRow`: by the trees that did not see this row. */
export function climb(
  forest: Forest,
  ladder: Ladder,
  { features, volume }: Point,
  unseenRow?: number,
): Prediction {
  const here = ladder.knots.findLastIndex((knot) => knot <= volume)
  const next = ladder.joined[here] ? here + 1 : here
  const levels = ladder.levels.filter((level) => COMPLEXITY[level] <= COMPLEXITY[features.complexity])
  const tables = ladder.tables.filter((count) => count <= features.tableCount)
  const x = vectorOf(features)
  let highest: Prediction = { median: -Infinity, low: -Infinity, high: -Infinity }
  let before = highest
  for (let k = 0; k <= next; k += 1) {
    if (ladder.usable[k]) {
      x[AT.volume] = ladder.knots[k]
      for (const level of levels)
        for (const count of tables) {
          x[AT.complexity] = COMPLEXITY[level]
          x[AT.tables] = count
          highest = highestOf(highest, forest.predict(x, unseenRow))
        }
    }
    if (k === here) before = highest
  }
  const share = next === here ? 0 : (volume - ladder.knots[here]) / (ladder.knots[next] - ladder.knots[here])
  const between = (a: number, b: number): number => (a === b ? a : a + (b - a) * share)
  return {
    median: between(before.median, highest.median),
    low: between(before.low, highest.low),
    high: between(before.high, highest.high),
  }
}

const highestOf = (a: Prediction, b: Prediction): Prediction => ({
  median: Math.max(a.median, b.median),
  low: Math.max(a.low, b.low),
  high: Math.max(a.high, b.high),
})
