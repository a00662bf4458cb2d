/**
 * A model of one tenant's runs of one source type (or of an operator's: runs of all tenants, drawn evenly):
 * three forests, of minutes, cores and memory, that climb with the size of a job (ladder.ts). It speaks only
 * of what it has seen and where its track record is no worse than the rule's.
 *
 * Its interval is calibrated on runs as the trees that did not see them predict them (conformalized quantile
 * regression, Romano, Patterson, Candès 2019), after climbing, so that 80 % means four of five.
 */
import { growForest, type Forest, type Prediction } from './forest.ts'
import {
  climb,
  ladderOf,
  pointOf,
  seenIn,
  spanAt,
  type Ladder,
  type Point,
  type Seen,
  type Span,
} from './ladder.ts'
import {
  decadeOf,
  scoreAt,
  trackRecordOf,
  type JudgedRun,
  type Score,
  type TrackRecord,
} from './track-record.ts'
import { logVolume, vectorOf, type PastRun, type RunFeatures } from './past-run.ts'
import type { SourceType } from '../core/service/source-types.ts'
import { COMPLEXITY, needByRule, type Need } from './rules.ts'

/** Fewer runs of a type than this, and the rule answers. */
export const LEAST_RUNS = 50
/** The newest so many are learned from: machines and sources change, and learning stays below a second. */
export const MOST_RUNS = 1_000
/** Runs that are predicted unseen, the newest: minutes have a track record, the others a margin only. */
const MOST_JUDGED = { minutes: 600, others: 100 }
const COVERAGE = 0.8

/** Why the model does not answer. */
export type Doubt =
  | {
      code: 'volume_not_seen'
      seen_from_gb: number
      seen_to_gb: number
      gap_from_gb?: number
      gap_to_gb?: number
    }
  | { code: 'tables_not_seen'; seen_from_tables: number; seen_to_tables: number }
  | { code: 'complexity_not_seen'; seen_complexity: string[] }
  | { code: 'rule_was_closer'; model_factor_error: number; rule_factor_error: number; judged_runs: number }

export interface Said extends Need {
  low: number
  high: number
}

export interface Model {
  record: TrackRecord
  /** Why the model does not answer for such a job; undefined: it does. */
  doubt(features: RunFeatures): Doubt | undefined
  /** How right it was about unseen runs of about this volume. */
  scoreOf(features: RunFeatures): Score
  /** For a job without doubt. */
  predict(features: RunFeatures): Said
  /** For the greatest job without doubt that is no greater in anything; undefined when there is none. */
  below(features: RunFeatures): Said | undefined
  /** For the least job without doubt that is no smaller in anything. */
  above(features: RunFeatures): Said | undefined
}

interface Grown {
  forest: Forest
  /** How much wider (or narrower, when negative) intervals must be, as a logarithm. */
  margin: number
  /** The newest, as the trees that did not see them predict them. */
  unseen: Unseen[]
}

export interface LearnOptions {
  /** A number from 0 up to 1, at random; the same sequence grows the same model. */
  chance: () => number
  /** Of this machine against the one that the rules were measured on. */
  speed?: number
}

/** The runs that a model learns from, the oldest first: the newest, within what was seen in them. */
export const learnable = (runs: PastRun[]): PastRun[] => evidenceOf(runs).newest

function evidenceOf(runs: PastRun[]): { newest: PastRun[]; seen: Seen } {
  const newest = runs.slice(-MOST_RUNS)
  const seen = seenIn(newest)
  return { newest: newest.filter((run) => isSeen(seen, run)), seen }
}

/** Learns from runs, the oldest first; undefined when there are too few. */
export function learn(
  type: SourceType,
  runs: PastRun[],
  { chance, speed = 1 }: LearnOptions,
): Model | undefined {
  const { newest, seen } = evidenceOf(runs)
  if (newest.length < LEAST_RUNS) return undefined
  const ladder = ladderOf(newest, seen)
  const grow = (target: (run: PastRun) => number, judged = MOST_JUDGED.others): Grown =>
    growOf(newest, ladder, { target, judged, chance })
  const minutes = grow((run) => run.runtimeMinutes, MOST_JUDGED.minutes)
  const record = trackRecordOf(
    newest,
    minutes.unseen.map(({ row, predicted }): JudgedRun => {
      const run = newest[row]
      const rule = needByRule(type, run.dataVolumeGb, run.complexity, speed)
      return { run, predicted: minutesOf(predicted, minutes.margin), ruleMinutes: rule.minutes }
    }),
  )
  return modelOf({
    seen,
    ladder: ladderOf(newest, seen, (decade) => scoreAt(record, decade).trusted),
    record,
    minutes,
    cores: grow((run) => run.cpuCores),
    memory: grow((run) => run.memoryGb),
  })
}

function growOf(
  runs: PastRun[],
  ladder: Ladder,
  { target, judged, chance }: { target: (run: PastRun) => number; judged: number; chance: () => number },
): Grown {
  // Logarithms: what counts is by which factor an estimate is wrong.
  const samples = runs.map((run) => ({ x: vectorOf(run), y: Math.log(Math.max(1e-3, target(run))) }))
  const forest = growForest(samples, { chance, coverage: COVERAGE })
  const unseen: Unseen[] = []
  for (let row = Math.max(0, runs.length - judged); row < runs.length; row += 1) {
    const predicted = climb(forest, ladder, pointOf(runs[row]), row)
    if (Number.isFinite(predicted.median)) unseen.push({ row, actual: samples[row].y, predicted })
  }
  return { forest, margin: marginOf(unseen), unseen }
}

interface Unseen {
  row: number
  actual: number
  predicted: Prediction
}

/**
 * What holds four of five of the judged runs, and half a standard deviation of such a sample more: the runs
 * to come are not quite those that were judged.
 */
function marginOf(unseen: Unseen[]): number {
  const misses = unseen
    .map(({ actual, predicted }) => Math.max(predicted.low - actual, actual - predicted.high))
    .toSorted((a, b) => a - b)
  if (misses.length === 0) return 0
  const held = (misses.length + 1) * COVERAGE + Math.sqrt(misses.length * COVERAGE * (1 - COVERAGE)) / 2
  return misses[Math.min(misses.length - 1, Math.ceil(held) - 1)]
}

/** Back from logarithms, with an interval of the promised coverage, which holds the median. */
const minutesOf = ({ median, low, high }: Prediction, margin: number): Prediction => ({
  median: Math.exp(median),
  low: Math.exp(Math.min(median, low - margin)),
  high: Math.exp(Math.max(median, high + margin)),
})

function isSeen(seen: Seen, { dataVolumeGb, tableCount, complexity }: RunFeatures): boolean {
  return (
    spanAt(seen, dataVolumeGb) !== undefined &&
    tableCount >= seen.fromTables &&
    tableCount <= seen.toTables &&
    seen.levels.includes(complexity)
  )
}

interface Parts {
  seen: Seen
  ladder: Ladder
  record: TrackRecord
  minutes: Pick<Grown, 'forest' | 'margin'>
  cores: Pick<Grown, 'forest' | 'margin'>
  memory: Pick<Grown, 'forest' | 'margin'>
}

function modelOf(parts: Parts): Model {
  const { seen, ladder, record, minutes, cores, memory } = parts
  const predict = (point: Point): Said => {
    const of = ({ forest, margin }: Pick<Grown, 'forest' | 'margin'>): Prediction =>
      minutesOf(climb(forest, ladder, point), margin)
    const { median, low, high } = of(minutes)
    return { minutes: median, low, high, cores: of(cores).high, memoryGb: of(memory).high }
  }
  const beside = (features: RunFeatures, side: 'below' | 'above'): Said | undefined => {
    const point = nearest(parts, features, side)
    return point === undefined ? undefined : predict(point)
  }
  return {
    record,
    scoreOf: (features) => scoreAt(record, decadeOf(features.dataVolumeGb)),
    doubt: (features) => doubtOf(seen, record, features),
    predict: (features) => predict(pointOf(features)),
    below: (features) => beside(features, 'below'),
    above: (features) => beside(features, 'above'),
  }
}

function doubtOf(seen: Seen, record: TrackRecord, features: RunFeatures): Doubt | undefined {
  const { dataVolumeGb, tableCount, complexity } = features
  if (spanAt(seen, dataVolumeGb) === undefined) return volumeNotSeen(seen, dataVolumeGb)
  if (tableCount < seen.fromTables || tableCount > seen.toTables)
    return { code: 'tables_not_seen', seen_from_tables: seen.fromTables, seen_to_tables: seen.toTables }
  if (!seen.levels.includes(complexity)) return { code: 'complexity_not_seen', seen_complexity: seen.levels }
  const score = scoreAt(record, decadeOf(dataVolumeGb))
  if (score.trusted) return undefined
  return {
    code: 'rule_was_closer',
    model_factor_error: score.factorError,
    rule_factor_error: score.ruleFactorError,
    judged_runs: score.runs,
  }
}

function volumeNotSeen({ volumes }: Seen, gb: number): Doubt {
  const below = volumes.findLast((span) => span.toGb < gb)
  const above = volumes.find((span) => span.fromGb > gb)
  return {
    code: 'volume_not_seen',
    seen_from_gb: volumes[0].fromGb,
    seen_to_gb: (volumes.at(-1) as Span).toGb,
    ...(below === undefined || above === undefined
      ? {}
      : { gap_from_gb: below.toGb, gap_to_gb: above.fromGb }),
  }
}

/** The nearest job without doubt on one side, in volume, tables and complexity. */
function nearest(
  { seen, ladder: { knots, usable }, record }: Parts,
  features: RunFeatures,
  side: 'below' | 'above',
): Point | undefined {
  const below = side === 'below'
  const { dataVolumeGb, tableCount, complexity } = features
  const isTrusted =
    spanAt(seen, dataVolumeGb) !== undefined && scoreAt(record, decadeOf(dataVolumeGb)).trusted
  const asked = logVolume(dataVolumeGb)
  const knot = below
    ? usable.findLastIndex((counts, k) => counts && knots[k] <= asked)
    : usable.findIndex((counts, k) => counts && knots[k] >= asked)
  const tables = below ? Math.min(tableCount, seen.toTables) : Math.max(tableCount, seen.fromTables)
  const hasTables = below ? tables >= seen.fromTables : tables <= seen.toTables
  const level = below
    ? seen.levels.findLast((candidate) => COMPLEXITY[candidate] <= COMPLEXITY[complexity])
    : seen.levels.find((candidate) => COMPLEXITY[candidate] >= COMPLEXITY[complexity])
  if ((!isTrusted && knot < 0) || !hasTables || level === undefined) return undefined
  return {
    features: { ...features, tableCount: tables, complexity: level },
    volume: isTrusted ? asked : knots[knot],
  }
}
