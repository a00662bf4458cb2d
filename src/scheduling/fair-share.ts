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
 * Within a tenant, a high priority counts as a quarter of its cost and a low one as four times its cost: it
 * changes the order, but starves nothing.
 */
const COST_FACTOR: Record<Priority, number> = { high: 0.25, medium: 1, low: 4 }

export interface Share {
  weight: number
  /** End of the span of the tenant's last execution. */
  lastTag: number
}

/**
 * The tag of a new execution, and the new share of the tenant. `virtualTime` is the tag that was served last.
 */
export function nextTag(
  share: Share,
  virtualTime: number,
  work: { coreMinutes: number; priority: Priority },
): { tag: number; lastTag: number } {
  const start = Math.max(virtualTime, share.lastTag)
  const cost = work.coreMinutes / share.weight
  // The priority moves this execution in the queue; its full cost moves the next ones. So a priority cannot
  // be used to take more.
  return {
    tag: start + (COST_FACTOR[work.priority] - 1) * Math.min(cost, PRIORITY_SPAN),
    lastTag: start + cost,
  }
}

/**
 * Limit of what a priority can move, in core-minutes of weight 1: a giant job cannot jump the whole queue.
 */
const PRIORITY_SPAN = 60

/**
 * The weight of a tenant: its dedicated cores plus its vCPU-hours per day, spread over the day; at least one
 * core, so that trials run too.
 */
export function weightOf(bought: { dedicatedUnits: number; vcpuHoursPerDay: number }): number {
  return Math.max(1, bought.dedicatedUnits * 4 + bought.vcpuHoursPerDay / 24)
}
