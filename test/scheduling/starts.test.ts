/** What a runner starts: all that is due and fits, in order, with its share of what several runners offer. */
import { expect, test } from 'vitest'
import { DEDICATED, DRAFT, SHARED, forNamespaces } from '../../src/core/service/namespaces.ts'
import { OTHERS_FIRST_MS, chooseStarts, type DueExecution } from '../../src/scheduling/starts.ts'

const NOW = Date.UTC(2026, 10, 30)
const capacity = forNamespaces(() => ({ cpuCores: 8, memoryGb: 16 }))

let made = 0
const due = (more: Partial<DueExecution> = {}): DueExecution => ({
  executionId: `execution ${(made += 1)}`,
  jobId: `job ${made}`,
  namespace: SHARED,
  cpuCores: 1,
  memoryGb: 2,
  bookedFromMs: NOW,
  ...more,
})
const idsOf = (executions: DueExecution[]): string[] => executions.map((execution) => execution.executionId)
const starts = (more: Partial<Parameters<typeof chooseStarts>[0]>): string[] =>
  chooseStarts({ nowMs: NOW, running: [], due: [], capacity, share: 1, limit: 100, ...more })

test('all that is due starts at once, in every namespace', () => {
  const executions = [SHARED, DEDICATED, DRAFT].flatMap((namespace) =>
    Array.from({ length: 8 }, () => due({ namespace })),
  )
  expect(starts({ due: executions })).toEqual(idsOf(executions))
})

test('drafts that fill their namespace keep nothing of production waiting', () => {
  const running = Array.from({ length: 8 }, () => ({
    namespace: DRAFT,
    cpuCores: 1,
    memoryGb: 2,
    isOwn: true,
  }))
  const [draft, production] = [due({ namespace: DRAFT }), due()]
  expect(starts({ running, due: [draft, production] })).toEqual([production.executionId])
})

test('of one job one starts', () => {
  const executions = [due({ jobId: 'same' }), due({ jobId: 'same' }), due()]
  expect(starts({ due: executions })).toEqual([executions[0].executionId, executions[2].executionId])
})

test('behind a run that outran its booking the first that waits is the first that starts', () => {
  const running = [{ namespace: SHARED, cpuCores: 5, memoryGb: 2, isOwn: false }]
  const executions = [due({ cpuCores: 4 }), due({ cpuCores: 2 })]
  expect(starts({ running, due: executions })).toEqual([])
  expect(starts({ running: [], due: executions })).toEqual(idsOf(executions))
})

test('a runner leaves to the others what is beyond its share, and takes over what they did not take', () => {
  const executions = Array.from({ length: 8 }, () => due())
  expect(starts({ due: executions, share: 0.5 })).toEqual(idsOf(executions.slice(0, 4)))
  expect(starts({ due: executions, share: 0.5, nowMs: NOW + OTHERS_FIRST_MS })).toEqual(idsOf(executions))
  const large = due({ cpuCores: 8 })
  expect(starts({ due: [large], share: 0.5 })).toEqual([])
  expect(starts({ due: [large], share: 0.5, nowMs: NOW + OTHERS_FIRST_MS })).toEqual([large.executionId])
})
