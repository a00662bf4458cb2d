/** What counts as seen, and predictions that climb. */
import { expect, test } from 'vitest'
import type { Forest } from '../../src/learning/forest.ts'
import { climb, ladderOf, pointOf, seenIn } from '../../src/learning/ladder.ts'
import { learn, learnable } from '../../src/learning/model.ts'
import { AT, type PastRun } from '../../src/learning/past-run.ts'
import { COMPLEXITY } from '../../src/learning/rules.ts'
import { createChance } from '../support/chance.ts'
import { job, scriptedRuns } from '../support/past-runs.ts'

const runsOf = (tenantId: string, fromGb: number, toGb: number): PastRun[] =>
  [fromGb, toGb].map((gb, i) => ({
    ...scriptedRuns({ seed: i, runs: 1, tenantId })[0],
    dataVolumeGb: gb,
    tableCount: i + 1,
    complexity: 'medium',
  }))

test('a tenant alone has seen what it ran; among several it takes two, so that none widens the range', () => {
  expect(seenIn(runsOf('a', 1, 5))).toEqual({
    volumes: [{ fromGb: 1, toGb: 5 }],
    fromTables: 1,
    toTables: 2,
    levels: ['medium'],
  })
  const honest = [...runsOf('a', 1, 5), ...runsOf('b', 2, 9), ...runsOf('c', 1.5, 7)]
  expect(seenIn(honest)).toMatchObject({ volumes: [{ fromGb: 1.5, toGb: 7 }] })
  const hostile = runsOf('hostile', 1e-6, 1e7).map((run) => ({
    ...run,
    tableCount: 99,
    complexity: 'high' as const,
  }))
  expect(seenIn([...honest, ...hostile])).toMatchObject({
    volumes: [{ fromGb: 1, toGb: 9 }],
    toTables: 2,
    levels: ['medium'],
  })
})

test('two volumes more than a decade apart say nothing of those between: one huge run does not widen the range', () => {
  const small = scriptedRuns({ seed: 4, runs: 60, fromGb: 1, toGb: 9 })
  const model = learn('postgres', [...small, { ...small[0], dataVolumeGb: 10_000 }], {
    chance: createChance(1),
  })
  const greatest = Math.max(...small.map((run) => run.dataVolumeGb))
  expect(model?.doubt(job(500, { tableCount: 2 }))).toMatchObject({
    code: 'volume_not_seen',
    seen_to_gb: 10_000,
    gap_from_gb: greatest,
    gap_to_gb: 10_000,
  })
  expect(model?.doubt(job(10_001, { tableCount: 2 }))).not.toHaveProperty('gap_to_gb')
  const [below, above] = [
    model?.below(job(500, { tableCount: 2 })),
    model?.above(job(500, { tableCount: 2 })),
  ]
  expect(below!.minutes).toBeLessThanOrEqual(above!.minutes)
  expect(below).toEqual(model?.predict(job(greatest, { tableCount: 2 })))
})

test('tenants that have nothing in common have no model together', () => {
  const runs = [
    ...scriptedRuns({ seed: 1, runs: 60, tenantId: 'a', fromGb: 1, toGb: 2 }),
    ...scriptedRuns({ seed: 2, runs: 60, tenantId: 'b', fromGb: 100, toGb: 200 }),
  ]
  expect(learnable(runs)).toEqual([])
  expect(learn('postgres', runs, { chance: createChance(1) })).toBeUndefined()
})

/** A forest that says less and less. */
const falling: Forest = {
  predict: (x) => {
    const said = 10 - x[AT.volume] - x[AT.tables] - x[AT.complexity]
    return { median: said, low: said - 1, high: said + 1 }
  },
}

test('a forest that falls is held at its highest; a decade that is not trusted is passed over', () => {
  const runs = scriptedRuns({ seed: 3, runs: 200, fromGb: 1, toGb: 1_000 })
  const ladder = ladderOf(runs, seenIn(runs))
  const say = (on: typeof ladder, gb: number) =>
    climb(falling, on, pointOf(job(gb, { tableCount: 5, complexity: 'high' })))
  const least = ladder.tables[0] + COMPLEXITY[ladder.levels[0]]
  const top = 10 - ladder.knots[0] - least
  for (const gb of [2, 50, 900])
    expect(say(ladder, gb)).toMatchObject({ median: expect.closeTo(top, 9), low: expect.closeTo(top - 1, 9) })
  const without = ladderOf(runs, seenIn(runs), (decade) => decade !== 0)
  expect(say(without, 50).median).toBeCloseTo(10 - 1 - least, 9)
})

test('a ladder has its ends, eight knots a decade, and at most six table counts', () => {
  const runs = scriptedRuns({ seed: 3, runs: 100, fromGb: 1, toGb: 100 }).map((run, i) => ({
    ...run,
    tableCount: i,
  }))
  const { knots, tables } = ladderOf(runs, seenIn(runs))
  expect(knots.at(0)).toBe(Math.log10(Math.min(...runs.map((run) => run.dataVolumeGb))))
  expect(knots.at(-1)).toBe(Math.log10(Math.max(...runs.map((run) => run.dataVolumeGb))))
  expect(knots).toContain(1)
  expect(knots.length).toBeLessThanOrEqual(18)
  expect(tables).toHaveLength(6)
  expect([tables[0], tables[5]]).toEqual([0, 99])
})
