import { expect, test } from 'vitest'
import { evaluateDraft } from '../../src/scheduling/draft.ts'
import { timingOf } from '../../src/scheduling/requirements.ts'

const run = (actualSeconds: number, estimatedSeconds: number) =>
  evaluateDraft({ actualSeconds, estimatedSeconds, cpuCores: 5, memoryGb: 8, target: 'vcpu-hours-ns' })

test('within a fifth: high confidence, as it is', () => {
  expect(run(120, 100)).toEqual({
    promotion_eligible: true,
    recommended_namespace: 'vcpu-hours-ns',
    confidence: 'high',
  })
})

test('within half: medium, with a fifth more cores and memory rounded up', () => {
  expect(run(120.1, 100)).toEqual({
    promotion_eligible: true,
    recommended_namespace: 'vcpu-hours-ns',
    confidence: 'medium',
    resource_adjustment: { cpu_cores: 6, memory_gb: 10 },
  })
  expect(run(150, 100)).toMatchObject({ promotion_eligible: true, confidence: 'medium' })
})

test('above: not eligible, with the reason and the action of the sources', () => {
  expect(run(150.1, 100)).toEqual({
    promotion_eligible: false,
    reason: 'performance_below_threshold',
    recommended_action: 'increase_resources_or_purchase_more_units',
  })
})

test('a sample that is over in no time says so instead of judging', () => {
  expect(run(0.9, 0.5)).toMatchObject({ promotion_eligible: false, reason: 'sample_too_small' })
})

test('the preferred time: of day, at a moment, or now; the window after it', () => {
  const from = new Date('2026-11-25T21:00:00Z')
  const base = { cpu_cores: 1, memory_gb: 2, estimated_runtime_minutes: 5 }
  expect(timingOf({ ...base, preferred_time: '02:30' }, from)).toEqual({
    preferred: new Date('2026-11-26T02:30:00Z'),
    deadline: new Date('2026-11-27T02:30:00Z'),
  })
  expect(timingOf({ ...base, preferred_time: '2026-11-25T20:00:00Z', sla_window_hours: 2 }, from)).toEqual({
    preferred: from,
    deadline: new Date('2026-11-25T23:00:00Z'),
  })
  expect(timingOf(base, from).preferred).toEqual(from)
  expect(() => timingOf({ ...base, preferred_time: 'soon' }, from)).toThrow(/preferred_time/)
})
