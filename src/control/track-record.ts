/** How right estimates were, as the API shows it. */
import type { RuleReason } from '../learning/estimate.ts'
import { LEAST_RUNS } from '../learning/model.ts'
import type { BookedScore, JudgedRun, Score, TrackRecord as Learned } from '../learning/track-record.ts'
import type { Asker, Learner } from './loops/learner.ts'
import type { Estimation, TrackRecord } from './schemas/estimation.ts'

/** With fewer tenants, the rest of them is known to who knows itself. */
const LEAST_TENANTS = 3

/** Three digits say enough. */
export const digits = (value: number): number => Number(value.toPrecision(3))
const percent = (part: number): number => Math.round(part * 1_000) / 10
const time = (ms: number): string => new Date(ms).toISOString()

/** A tenant's own, and that of the installation; for an operator only the latter. */
export async function trackRecordOf(learner: Learner, asker: Asker): Promise<TrackRecord> {
  const isOperator = asker.tenantId === undefined
  const all = await learner.trackRecord({ ...asker, tenantId: undefined })
  const own = isOperator ? undefined : await learner.trackRecord(asker)
  const isShown = isOperator || (all.record?.tenants ?? 0) >= LEAST_TENANTS
  return {
    source_type: asker.source,
    runs: (own ?? all).runs,
    needed_runs: LEAST_RUNS,
    own:
      own?.record === undefined
        ? null
        : { ...aggregateOf(own.record), newest: own.record.newest.map(judgedRunOf) },
    installation:
      all.record === undefined || !isShown
        ? null
        : { tenants: all.record.tenants, ...aggregateOf(all.record) },
  }
}

function aggregateOf(record: Learned): Omit<NonNullable<TrackRecord['own']>, 'newest'> {
  return {
    learned_runs: record.booked.runs,
    since: time(record.sinceMs),
    until: time(record.untilMs),
    predictions: scoreOf(record),
    by_volume: record.decades.map((decade) => ({
      from_gb: digits(decade.fromGb),
      to_gb: digits(decade.toGb),
      ...scoreOf(decade),
      answered_by: decade.trusted ? 'model' : 'rule',
    })),
    booked: bookedOf(record.booked),
  }
}

type Shown = NonNullable<Estimation['explanation']['track_record']>

export const scoreOf = (score: Score): Omit<Shown, 'since'> => ({
  runs: score.runs,
  median_factor_error: digits(score.factorError),
  rule_median_factor_error: digits(score.ruleFactorError),
  interval_coverage_percent: percent(score.coverage),
  within_20_percent: percent(score.withinFifth),
})

const bookedOf = ({ runs, medianShare, within }: BookedScore): NonNullable<TrackRecord['own']>['booked'] => ({
  runs,
  median_of_booked_percent: percent(medianShare),
  within_booked_percent: percent(within),
})

const judgedRunOf = ({
  run,
  predicted,
  ruleMinutes,
}: JudgedRun): NonNullable<TrackRecord['own']>['newest'][number] => ({
  execution_id: run.executionId,
  ended_at: time(run.endedMs),
  data_volume_gb: digits(run.dataVolumeGb),
  predicted_minutes: digits(predicted.median),
  interval_low: digits(predicted.low),
  interval_high: digits(predicted.high),
  rule_minutes: digits(ruleMinutes),
  booked_minutes: run.bookedMinutes,
  actual_minutes: digits(run.runtimeMinutes),
})

/** With three digits of each number that is not whole. */
export function reasonOf(reason: RuleReason): NonNullable<Estimation['explanation']['reason']> {
  const fields = Object.entries(reason).map(([name, value]) => [
    name,
    typeof value === 'number' && !Number.isInteger(value) ? digits(value) : value,
  ])
  return Object.fromEntries(fields) as NonNullable<Estimation['explanation']['reason']>
}
