import { expect, test } from 'vitest'
import { nextTag, weightOf, type Priority, type Share } from '../../src/scheduling/fair-share.ts'
import { createChance } from '../support/chance.ts'

interface Waiting {
  tenant: number
  tag: number
  cost: number
}

/**
 * Every tenant always has work; the smallest tag is served. Returns the core-minutes that each got, and the
 * longest wait in dispatches.
 */
function serve(
  weights: number[],
  dispatches: number,
  costOf: (tenant: number) => number,
  priorityOf: (tenant: number) => Priority = () => 'medium',
): number[] {
  const shares = weights.map((weight): Share => ({ weight, lastTag: 0 }))
  let virtual = 0
  const queue: Waiting[] = []
  const add = (tenant: number): void => {
    const cost = costOf(tenant)
    const { tag, lastTag } = nextTag(shares[tenant], virtual, {
      coreMinutes: cost,
      priority: priorityOf(tenant),
    })
    shares[tenant].lastTag = lastTag
    queue.push({ tenant, tag, cost })
  }
  for (let tenant = 0; tenant < weights.length; tenant += 1) for (let i = 0; i < 4; i += 1) add(tenant)
  const served = weights.map(() => 0)
  for (let i = 0; i < dispatches; i += 1) {
    queue.sort((a, b) => a.tag - b.tag)
    const next = queue.shift() as Waiting
    virtual = Math.max(virtual, next.tag)
    served[next.tenant] += next.cost
    add(next.tenant)
  }
  return served
}

test('after 10,000 dispatches each tenant has its share within 2 %, whatever its jobs cost', () => {
  const chance = createChance()
  const weights = [1, 2, 3, 10, 4]
  const served = serve(weights, 10_000, () => 1 + Math.floor(chance() * 120))
  const total = served.reduce((sum, share) => sum + share, 0)
  const bought = weights.reduce((sum, weight) => sum + weight, 0)
  for (const [i, got] of served.entries())
    expect(Math.abs(got / total - weights[i] / bought), `tenant ${i}`).toBeLessThan(0.02)
})

test('a tenant that marks everything high gets no larger share by it', () => {
  const served = serve(
    [1, 1],
    10_000,
    () => 30,
    (tenant) => (tenant === 0 ? 'high' : 'low'),
  )
  expect(Math.abs(served[0] / (served[0] + served[1]) - 0.5)).toBeLessThan(0.02)
})

test('a high priority goes before what its own tenant queued a little earlier', () => {
  const share = { weight: 1, lastTag: 100 }
  const low = nextTag(share, 90, { coreMinutes: 20, priority: 'medium' })
  const high = nextTag({ weight: 1, lastTag: low.lastTag }, 90, { coreMinutes: 40, priority: 'high' })
  expect(high.tag).toBeLessThan(low.tag)
})

test('weights: what was bought, never less than one core', () => {
  expect(weightOf({ dedicatedUnits: 2, vcpuHoursPerDay: 48 })).toBe(10)
  expect(weightOf({ dedicatedUnits: 0, vcpuHoursPerDay: 0 })).toBe(1)
})
