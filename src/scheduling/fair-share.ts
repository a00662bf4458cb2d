/**
 * Whose turn it is: start-time fair queueing (Goyal, Vin, Cheng 1996) over tenants, weighted by what they
 * bought. Each execution gets a tag when it is queued, and the smallest tag is served first; a tenant with
 * twice the weight advances half as far per core-minute. The order is then an index of the database: a
 * decision costs the same with a thousand queued as with a million.
 *
 * Nothing starves: tags of a tenant only grow, the virtual time grows with what is served, so that each tag
 * becomes the smallest.
 */

export type Priority = 'low' | 'medium' | 'high'

/**
 * Within a tenant a high priority counts as a quarter of its cost, a low one as four times: sooner, but never
 * for ever.
 */
const COST_FACTOR: Record<Priority, number> = { high: 0.25, medium: 1, low: 4 }

export interface Share {
  weight: number
  /** End of the span that the tenant's last execution took. */
  lastTag: number
}

/**
 * The tag of a new execution and what the tenant's share becomes. `virtualTime` is the tag that was served
 * last.
 */
export function nextTag(
  share: Share,
  virtualTime: number,
  work: { coreMinutes: number; priority: Priority },
): { tag: number; lastTag: number } {
  const start = Math.max(virtualTime, share.lastTag)
  const cost = work.coreMinutes / share.weight
  // The priority moves where it stands in the queue, the full cost moves what comes after: it cannot be used
  // to take more.
  return {
    tag: start + (COST_FACTOR[work.priority] - 1) * Math.min(cost, PRIORITY_SPAN),
    lastTag: start + cost,
  }
}

/**
 * Bound on what a priority can move, in core-minutes of weight 1: a giant job does not jump the whole queue.
 */
const PRIORITY_SPAN = 60

/**
 * A tenant's weight: its dedicated cores plus its vCPU-hours a day spread over the day; one core at least, so
 * that trials run too.
 */
export function weightOf(bought: { dedicatedUnits: number; vcpuHoursPerDay: number }): number {
  return Math.max(1, bought.dedicatedUnits * 4 + bought.vcpuHoursPerDay / 24)
}
