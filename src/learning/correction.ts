/**
 * What a tenant without a model of its own learns from others: the rule's minutes, times a factor that the
 * runs of all tenants agree on, and that no tenant moves by more than a tenth.
 *
 * Near a volume where a tenant ran, its vote is the median of ln(minutes / rule) of its runs there. At smaller
 * volumes it only says that a job takes no longer than that, at greater ones that it takes no less. A vote is
 * whole with 20 runs; more runs of another tenant do not make it heavier. The factor is e^s, where s minimizes
 *
 *   sum of weight * |s - vote|  +  2.5 * |s|  +  s² / (2 * STEP)
 *
 * (of "no longer" and "no less" the one half of |s - vote|). So the rule counts as two and a half tenants: with
 * fewer than 50 runs s is 0, and the rule answers as it is. What is left of the votes moves it by a step each.
 * The last term is strongly convex with 1 / STEP, and whatever a tenant does changes the slope of its own term
 * by at most 2 (from -1 to 1). So s moves by at most 2 * STEP = ln 1.1. Straight lines between volumes keep
 * that, and so does the maximum over smaller volumes that makes the minutes climb.
 *
 * There is no quicker way that holds always: when no tenant moves an answer by more than a tenth, n tenants
 * together cannot move it by more than 1.1 to the n from where it is without them. Many tenants that agree
 * prevail, few do not.
 */
import { logVolume, type RunFeatures } from './past-run.ts'
import type { SourceType } from '../core/service/source-types.ts'
import { needByRule, type Complexity } from './rules.ts'
import { median } from './track-record.ts'

/** No tenant moves the minutes that another is told by a greater factor, whatever runs it adds. */
export const MOST_MOVED = 1.1
const STEP = Math.log(MOST_MOVED) / 2
/** Runs of a tenant that make its vote whole. */
const RUNS_A_VOTE = 20
/** How many votes the rule has: those of 50 runs. */
const RULE_VOTES = 2.5
/** Runs near a volume with which a tenant's vote there is all its own. */
const RUNS_NEAR = 4
/** Runs of a tenant that are looked at, the newest; so its own vote counts twice at most when it asks. */
export const MOST_OF_TENANT = 40
/** Tenants that are looked at. */
export const MOST_TENANTS = 1_000

/** Volumes where votes are counted, from 1 KB to 10 PB. Runs up to the next one on either side vote there. */
const KNOTS_A_DECADE = 4
const KNOTS = 13 * KNOTS_A_DECADE + 1
const knotAt = (k: number): number => k / KNOTS_A_DECADE - 6
const knotVolumes = Array.from({ length: KNOTS }, (_, k) => 10 ** knotAt(k))

export interface TenantRun extends Pick<RunFeatures, 'dataVolumeGb' | 'complexity'> {
  tenantId: string
  runtimeMinutes: number
}

export interface Corrected {
  minutes: number
  /** Of the rule's minutes. */
  factor: number
  /** Other tenants with runs of about this volume. */
  tenants: number
}

export interface Correction {
  minutes(tenantId: string, volumeGb: number, complexity: Complexity, speed: number): Corrected
}

/** A vote pulls s up while s is below `at`, and down while it is above. */
interface Vote {
  tenantId: string
  at: number
  up: number
  down: number
}

/** `runs`: the newest of each tenant. */
export function learnCorrection(type: SourceType, runs: TenantRun[], speed = 1): Correction {
  const tenants = Map.groupBy(runs, (run) => run.tenantId)
  const votes = votesAt(type, tenants, speed)
  return {
    minutes(tenantId, volumeGb, complexity, speedNow) {
      const rule = (gb: number): number => needByRule(type, gb, complexity, speedNow).minutes
      const place = Math.min(KNOTS - 1, Math.max(0, (logVolume(volumeGb) - knotAt(0)) * KNOTS_A_DECADE))
      const here = Math.min(KNOTS - 2, Math.floor(place))
      // Only the asking tenant's own runs count beyond a whole vote.
      const own = Math.min(MOST_OF_TENANT, tenants.get(tenantId)?.length ?? 0)
      const weight = Math.max(1, own / RUNS_A_VOTE)
      const shifts = votes.slice(0, here + 2).map((all) => shiftOf(all, tenantId, weight))
      const shift = shifts[here] + (shifts[here + 1] - shifts[here]) * (place - here)
      // Between two knots the logarithm is convex (the rule's is, the shift's is a line): the maximum over all
      // smaller volumes is at a knot or here.
      let minutes = rule(volumeGb) * Math.exp(shift)
      for (let k = 0; k <= here; k += 1)
        minutes = Math.max(minutes, rule(knotVolumes[k]) * Math.exp(shifts[k]))
      const others = votes[Math.round(place)].filter(
        (vote) => vote !== RULE_VOTE && vote.up > 0 && vote.down > 0 && vote.tenantId !== tenantId,
      )
      return { minutes, factor: minutes / rule(volumeGb), tenants: others.length }
    },
  }
}

/** The rule's own vote. */
const RULE_VOTE: Vote = { tenantId: 'rule', at: 0, up: RULE_VOTES, down: RULE_VOTES }

/** At each knot the votes of the tenants and of the rule, ascending. */
function votesAt(type: SourceType, tenants: Map<string, TenantRun[]>, speed: number): Vote[][] {
  const rule = knotVolumes.map((gb) => Math.log(needByRule(type, gb, 'medium', speed).minutes))
  const votes = knotVolumes.map((): Vote[] => [RULE_VOTE])
  for (const [tenantId, runs] of tenants) {
    const newest = runs.slice(-MOST_OF_TENANT)
    const near = nearKnots(type, newest, speed)
    const weight = Math.min(1, newest.length / RUNS_A_VOTE)
    for (const [k, all] of votes.entries())
      for (const { ratio, knot, up, down } of saidAt(near, k))
        all.push({ tenantId, at: ratio + rule[knot] - rule[k], up: up * weight, down: down * weight })
  }
  return votes.map((all) => all.toSorted((a, b) => a.at - b.at))
}

/** A tenant's runs near a knot: how much of its vote there is their own, and what they say. */
interface Near {
  share: number
  ratio: number
}

function nearKnots(type: SourceType, runs: TenantRun[], speed: number): Near[] {
  const ratios = knotVolumes.map((): number[] => [])
  for (const run of runs) {
    const rule = needByRule(type, run.dataVolumeGb, run.complexity, speed)
    const place = (logVolume(run.dataVolumeGb) - knotAt(0)) * KNOTS_A_DECADE
    for (let k = Math.max(0, Math.ceil(place - 1)); k <= Math.min(KNOTS - 1, place + 1); k += 1)
      ratios[k].push(Math.log(run.runtimeMinutes / rule.minutes))
  }
  return ratios.map((own) => ({
    share: Math.min(1, own.length / RUNS_NEAR),
    ratio: own.length === 0 ? 0 : median(own),
  }))
}

/**
 * What a tenant says at a knot: by its runs there, and with what is left of its vote, by those of the nearest
 * greater and the nearest smaller knot that has more of them.
 */
function saidAt(near: Near[], k: number): { ratio: number; knot: number; up: number; down: number }[] {
  const { share, ratio } = near[k]
  const said = share === 0 ? [] : [{ ratio, knot: k, up: share, down: share }]
  if (share === 1) return said
  const greater = near.findIndex((place, knot) => knot > k && place.share > share)
  const smaller = near.findLastIndex((place, knot) => knot < k && place.share > share)
  if (greater >= 0)
    said.push({ ratio: near[greater].ratio, knot: greater, up: 0, down: near[greater].share - share })
  if (smaller >= 0)
    said.push({ ratio: near[smaller].ratio, knot: smaller, up: near[smaller].share - share, down: 0 })
  return said
}

/** s of the comment above; `weight`: of the asking tenant's vote. */
function shiftOf(votes: Vote[], tenantId: string, weight: number): number {
  const weightOf = (vote: Vote): number => (vote.tenantId === tenantId ? weight : 1)
  let pull = 0
  for (const vote of votes) pull += vote.up * weightOf(vote)
  let shift = -Infinity
  // The slope is the pull of the votes above, less that of those below, less s / STEP: it ends at zero.
  for (const vote of votes) {
    if (STEP * pull <= vote.at) break
    shift = vote.at
    pull -= (vote.up + vote.down) * weightOf(vote)
  }
  return Math.max(shift, STEP * pull)
}
