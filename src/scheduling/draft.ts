/** The verdict on a draft run: whether the job may go to production, and with which requirements. */
import type { Namespace } from '../core/service/namespaces.ts'

export interface DraftRun {
  /** Seconds of the run without start-up: connecting, compiling, the first fetch. */
  actualSeconds: number
  /** Seconds that the estimate gives for the volume of the sample, without start-up. */
  estimatedSeconds: number
  cpuCores: number
  memoryGb: number
  /** The namespace in which its tenant's purchases would let it run. */
  target: Namespace
}

export type Evaluation =
  | {
      promotion_eligible: true
      recommended_namespace: Namespace
      confidence: 'high' | 'medium'
      resource_adjustment?: { cpu_cores: number; memory_gb: number }
    }
  | {
      promotion_eligible: false
      reason: 'performance_below_threshold' | 'sample_too_small'
      recommended_action: 'increase_resources_or_purchase_more_units' | 'enlarge_the_sample'
    }

/** What a job keeps of its last promotion and demotion. */
export type JobEvaluation = Partial<Evaluation> & {
  evidence?: Record<string, string | number>
  /** Time of the promotion. */
  at?: string
  /** Why it became a draft again. */
  demoted?: string
}

/** A sample that takes less proves nothing: its run time is noise. */
export const LEAST_SAMPLE_SECONDS = 1

/** A run that takes longer than this many times its estimate has no place in production. */
export const MOST_RATIO = 1.5

export function performanceRatio({
  actualSeconds,
  estimatedSeconds,
}: Pick<DraftRun, 'actualSeconds' | 'estimatedSeconds'>): number {
  return actualSeconds / estimatedSeconds
}

/**
 * Within 20 % of the estimate: promote as it is. Within 50 %: promote with a fifth more cores and memory.
 * Above: refuse.
 */
export function evaluateDraft(run: DraftRun): Evaluation {
  const ratio = performanceRatio(run)
  // A very short run counts only if even that is too slow.
  if (run.actualSeconds < LEAST_SAMPLE_SECONDS && ratio > 1.2)
    return { promotion_eligible: false, reason: 'sample_too_small', recommended_action: 'enlarge_the_sample' }
  if (ratio <= 1.2) return { promotion_eligible: true, recommended_namespace: run.target, confidence: 'high' }
  if (ratio <= MOST_RATIO)
    return {
      promotion_eligible: true,
      recommended_namespace: run.target,
      confidence: 'medium',
      resource_adjustment: { cpu_cores: up(run.cpuCores * 1.2), memory_gb: up(run.memoryGb * 1.2) },
    }
  return {
    promotion_eligible: false,
    reason: 'performance_below_threshold',
    recommended_action: 'increase_resources_or_purchase_more_units',
  }
}

/** Rounds up, but ignores what floating point adds to 5 * 1.2. */
const up = (value: number): number => Math.ceil(Math.round(value * 1e9) / 1e9)
