/**
 * What a job will need: by the model of whoever asks, where that has seen such jobs and predicts them at least
 * as well as the rule; by rule elsewhere. Only who has no model is told what other tenants' runs correct in
 * the rule (correction.ts): nothing that others do reaches an answer with a model.
 *
 * An answer never falls when a job grows. The model climbs by itself (ladder.ts), and so does the rule. Where
 * the rule answers, its answer is held between what the model says of the nearest smaller and the nearest
 * greater job that it speaks of. The greater of two that climb climbs, and so does the lesser: all of it does.
 *
 * Floors are of what is booked. The interval is of the run time, and may lie below them.
 */
import type { Correction } from './correction.ts'
import { LEAST_RUNS, type Doubt, type Model, type Said } from './model.ts'
import type { RunFeatures } from './past-run.ts'
import type { Score } from './track-record.ts'
import type { SourceType } from '../core/service/source-types.ts'
import { RULE_CONFIDENCE, booked, needByRule, type Need, type Resources } from './rules.ts'

/** Why the rule answers. */
export type RuleReason = Doubt | { code: 'too_few_runs'; runs: number; needed: number }

export interface Estimate {
  resources: Resources
  confidence: number
  by: 'model' | 'rule'
  /** Before it is rounded up and held to the floor. */
  expectedMinutes: number
  /** Four of five such runs take between `low` and `high` minutes. */
  runtimeInterval?: { low: number; high: number }
  reason?: RuleReason
  /** The rule's answer was less than the model's for a smaller job, or more than that for a greater one. */
  heldByModel?: boolean
  /** What other tenants' runs made of the rule's minutes. */
  correction?: { factor: number; tenants: number }
  /** How right the model is about jobs of this volume that it had not seen; undefined without a model. */
  record?: Score & { sinceMs: number }
}

export interface Asked {
  type: SourceType
  tenantId: string
  features: RunFeatures
  /** Of this machine against the one that the rules were measured on. */
  speed?: number
  /** Undefined before there are enough runs; then `runs` are all there are. */
  model: Model | undefined
  runs: number
  /** Undefined: nobody's runs correct the rule. */
  correction: Correction | undefined
}

export function estimate(asked: Asked): Estimate {
  const { model, features } = asked
  const record =
    model === undefined ? {} : { record: { ...model.scoreOf(features), sinceMs: model.record.sinceMs } }
  const reason = model === undefined ? tooFew(asked.runs) : model.doubt(features)
  if (model === undefined || reason !== undefined) return { ...byRule(asked), ...record, reason }
  const { low, high, ...need } = model.predict(features)
  return {
    resources: booked(need),
    confidence: Math.round(model.record.withinFifth * 100) / 100,
    by: 'model',
    expectedMinutes: need.minutes,
    runtimeInterval: { low, high },
    ...record,
  }
}

const tooFew = (runs: number): RuleReason => ({ code: 'too_few_runs', runs, needed: LEAST_RUNS })

function byRule({ type, tenantId, features, speed = 1, model, correction }: Asked): Estimate {
  const { dataVolumeGb, complexity } = features
  const rule = needByRule(type, dataVolumeGb, complexity, speed)
  const corrected =
    model === undefined ? correction?.minutes(tenantId, dataVolumeGb, complexity, speed) : undefined
  const free = { ...rule, minutes: corrected?.minutes ?? rule.minutes }
  const held = between(model?.below(features), free, model?.above(features))
  const isHeld = held.cores !== free.cores || held.memoryGb !== free.memoryGb || held.minutes !== free.minutes
  return {
    resources: booked(held),
    confidence: RULE_CONFIDENCE,
    by: 'rule',
    expectedMinutes: held.minutes,
    ...(isHeld ? { heldByModel: true } : {}),
    ...(corrected === undefined || corrected.factor === 1
      ? {}
      : { correction: { factor: corrected.factor, tenants: corrected.tenants } }),
  }
}

function between(below: Said | undefined, need: Need, above: Said | undefined): Need {
  const hold = (of: (need: Need) => number): number =>
    Math.min(
      Math.max(of(need), below === undefined ? 0 : of(below)),
      above === undefined ? Infinity : of(above),
    )
  return {
    cores: hold((bound) => bound.cores),
    memoryGb: hold((bound) => bound.memoryGb),
    minutes: hold((bound) => bound.minutes),
  }
}
