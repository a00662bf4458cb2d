/**
 * How right predictions were: of runs that the trees which predicted them had not seen, with what the rule
 * says of the same runs beside them. Errors are factors: 1.25 is a quarter too much, or a fifth too little.
 */
import type { Prediction } from './forest.ts'
import { logVolume, type PastRun } from './past-run.ts'

/** A run with what was said of its minutes by who had not seen it. */
export interface JudgedRun {
  run: PastRun
  predicted: Prediction
  ruleMinutes: number
}

export interface Score {
  runs: number
  /** By which factor half of the predictions were off at most. */
  factorError: number
  ruleFactorError: number
  /** Part of the runs whose minutes lay in the interval. */
  coverage: number
  /** Part of the runs that were predicted within a fifth. */
  withinFifth: number
}

export interface DecadeScore extends Score {
  fromGb: number
  toGb: number
  /** Too few runs: whether the model answers here is decided by all runs. */
  judgedByAll: boolean
  /** Whether the model answers here. */
  trusted: boolean
}

/** What was booked for runs before they ran, against what they took. */
export interface BookedScore {
  runs: number
  /** What half of the runs took at most, as a part of what was booked. */
  medianShare: number
  /** Part of the runs that ended within what was booked. */
  within: number
}

export interface TrackRecord extends Score {
  /** Whose runs were learned from. */
  tenants: number
  sinceMs: number
  untilMs: number
  decades: DecadeScore[]
  booked: BookedScore
  /** The newest first. */
  newest: JudgedRun[]
}

/** Runs that a decade needs to be judged by itself. */
const LEAST_OF_DECADE = 20
/** Runs that are kept one by one. */
const KEPT = 20

export const median = (values: number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

const share = (count: number, of: number): number => (of === 0 ? 0 : count / of)

function scoreOf(judged: JudgedRun[]): Score {
  const error = (minutes: number, run: PastRun): number => Math.abs(Math.log(minutes / run.runtimeMinutes))
  const count = (holds: (entry: JudgedRun) => boolean): number => judged.filter(holds).length
  return {
    runs: judged.length,
    factorError: Math.exp(median(judged.map((entry) => error(entry.predicted.median, entry.run)))),
    ruleFactorError: Math.exp(median(judged.map((entry) => error(entry.ruleMinutes, entry.run)))),
    coverage: share(
      count(({ run, predicted: { low, high } }) => low <= run.runtimeMinutes && run.runtimeMinutes <= high),
      judged.length,
    ),
    withinFifth: share(
      count(({ run, predicted }) => Math.abs(predicted.median / run.runtimeMinutes - 1) <= 0.2),
      judged.length,
    ),
  }
}

const isTrusted = ({ factorError, ruleFactorError }: Score): boolean => factorError <= ruleFactorError

/** `runs`: all that were learned from; `judged`: some of them, the oldest first. */
export function trackRecordOf(runs: PastRun[], judged: JudgedRun[]): TrackRecord {
  const all = scoreOf(judged)
  const decades = [...Map.groupBy(judged, ({ run }) => decadeOf(run.dataVolumeGb))]
    .toSorted(([a], [b]) => a - b)
    .map(([decade, own]): DecadeScore => {
      const score = scoreOf(own)
      const judgedByAll = own.length < LEAST_OF_DECADE
      const trusted = isTrusted(judgedByAll ? all : score)
      return { ...score, fromGb: 10 ** decade, toGb: 10 ** (decade + 1), judgedByAll, trusted }
    })
  return {
    ...all,
    tenants: new Set(runs.map((run) => run.tenantId)).size,
    sinceMs: Math.min(...runs.map((run) => run.endedMs)),
    untilMs: Math.max(...runs.map((run) => run.endedMs)),
    decades,
    booked: bookedScoreOf(runs),
    newest: judged.slice(-KEPT).toReversed(),
  }
}

function bookedScoreOf(runs: PastRun[]): BookedScore {
  const shares = runs.map((run) => run.runtimeMinutes / run.bookedMinutes)
  return {
    runs: runs.length,
    medianShare: median(shares),
    within: share(shares.filter((part) => part <= 1).length, runs.length),
  }
}

export const decadeOf = (gb: number): number => Math.floor(logVolume(gb))

/**
 * Who is believed at a volume: the model where its record is at least as good as the rule's, among runs of the
 * same decade, or among all where the decade has too few.
 */
export function scoreAt(record: TrackRecord, decade: number): Score & { trusted: boolean } {
  const own = record.decades.find((decadeRecord) => decadeOf(decadeRecord.fromGb) === decade)
  if (own !== undefined && !own.judgedByAll) return own
  return { ...record, trusted: isTrusted(record) }
}
