/**
 * What follows deaths: within a bound the message or the record is found, or the job stops by name. A world
 * of children that die of one thing.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { failure, type HeadraceError } from '../../src/core/errors.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { isSamePlace } from '../../src/runner/intake.ts'
import type { MessagePlace, Step } from '../../src/runner/protocol.ts'
import {
  afterDeath,
  afterDrift,
  afterProgress,
  createRecovery,
  type Death,
  type Recovery,
} from '../../src/runner/recovery.ts'

const DEATH: Death = {
  job: 'stream a',
  reason: 'signal SIGKILL',
  failed: undefined,
  hung: false,
  begun: true,
  step: undefined,
  remote: false,
  waiting: Infinity,
  next: { partition: 0, offset: 0 },
  position: 'a partition 0 offset 0',
}

/** How often a child dies until the job stops. */
function deathsUntilStop(death: Partial<Death>): { deaths: number; pausesMs: number; stop: HeadraceError } {
  const recovery = createRecovery()
  for (let deaths = 1, pausesMs = 0; ; deaths += 1) {
    const verdict = afterDeath(recovery, { ...DEATH, ...death })
    if (verdict.stop !== undefined) return { deaths, pausesMs, stop: verdict.stop }
    pausesMs += verdict.pauseMs
  }
}

test('children that die before they read anything stop the job by name, within two minutes', () => {
  const { deaths, pausesMs, stop } = deathsUntilStop({ begun: false })
  expect([deaths, stop.code, stop.params.position]).toEqual([
    LIMITS.childDeathsMax + 1,
    'child_failed',
    'a partition 0 offset 0',
  ])
  expect(pausesMs).toBeLessThan(100_000)
})

test.each([
  ['engine_failed', { action: 'x', reason: 'y' }, LIMITS.childDeathsMax + 1, 'child_failed'],
  ['memory_exceeded', { limit: 'memory', reason: 'y' }, LIMITS.childDeathsMax + 1, 'child_failed'],
  ['internal', { reason: 'y' }, LIMITS.childDeathsMax + 1, 'internal'],
  ['spark_unreachable', { address: 'x', reason: 'y' }, LIMITS.childOutagesMax + 1, 'child_failed'],
  ['storage_failed', { action: 'x', path: 'y', reason: 'z' }, LIMITS.childOutagesMax + 1, 'child_failed'],
  ['topic_recreated', {}, 1, 'topic_recreated'],
  ['not_supported', {}, 1, 'not_supported'],
] as const)('%s again and again without a step ends', (code, params, deaths, stop) => {
  const found = deathsUntilStop({ failed: failure(code, params) })
  expect([found.deaths, found.stop.code]).toEqual([deaths, stop])
})

test('rows that the engine names are refused without counting; the same ones again count', () => {
  const recovery = createRecovery()
  const rows = (ordinal: number): Partial<Death> => ({
    failed: failure('rows_refused', {
      count: 1,
      reason: 'x',
      rows: [{ partition: 0, offset: 5, ordinal, reason: 'x' }],
    }),
  })
  for (let i = 0; i < 100; i += 1)
    expect(afterDeath(recovery, { ...DEATH, ...rows(i) })).toEqual({ pauseMs: 0 })
  expect([recovery.refused.length, recovery.deaths]).toEqual([100, 0])
  const { deaths, stop } = deathsUntilStop(rows(1))
  expect([deaths, stop.code]).toEqual([LIMITS.childDeathsMax + 2, 'child_failed'])
})

test('drift that changes nothing stops the job; drift that adds a column does not', () => {
  const recovery = createRecovery()
  for (let i = 0; i < 300; i += 1) expect(afterDrift(recovery, 'a', ['x'], 1).stop).toBeUndefined()
  expect(afterDrift(recovery, 'a', ['x'], 0).stop).toBeUndefined()
  expect(afterDrift(recovery, 'a', ['x'], 0).stop?.code).toBe('drift_stuck')
})

test('a message without an end is accused at its third silence', () => {
  const recovery = createRecovery()
  const step: Step = { doing: 'decode', partition: 0, offset: 7 }
  afterDeath(recovery, { ...DEATH, hung: true })
  expect(recovery.careful).toBe(true)
  afterDeath(recovery, { ...DEATH, hung: true, step })
  afterDeath(recovery, { ...DEATH, hung: true, step })
  expect(recovery.poison).toMatchObject([{ partition: 0, offset: 7, rule: 'decoder_crashed' }])
})

test('one that kills nobody twice at the same place is not accused', () => {
  const recovery = createRecovery()
  for (let offset = 0; offset < 10; offset += 1)
    afterDeath(recovery, { ...DEATH, step: { doing: 'decode', partition: 0, offset } })
  expect([recovery.careful, recovery.poison]).toEqual([true, []])
})

test('too many accused in a row, with nothing accepted in between, are not the messages\u2019 doing', () => {
  const recovery = createRecovery()
  for (let offset = 0; ; offset += 1) {
    const verdicts = [0, 1, 2, 3].map(() =>
      afterDeath(recovery, { ...DEATH, step: { doing: 'decode', partition: 0, offset } }),
    )
    if (!verdicts.some((verdict) => verdict.stop !== undefined)) continue
    expect(recovery.poison.length).toBeLessThanOrEqual(LIMITS.accusedInARow)
    return
  }
})

interface World {
  messages: number
  records: number
  /** The record that kills who writes it, and whether files have names. */
  bad: { offset: number; ordinal: number }
  folder: boolean
}

/**
 * Children of the real protocol over one partition of messages; returns the deaths until all is committed.
 */
function run(world: World): { deaths: number; recovery: Recovery } {
  const recovery = createRecovery()
  const place = (offset: number): { partition: number; offset: number; name?: string } => ({
    partition: 0,
    offset,
    ...(world.folder ? { name: `f${offset}` } : {}),
  })
  let next = 0
  let deaths = 0
  while (next < world.messages) {
    const { batchMessages } = recovery.caution
    const until = batchMessages === 0 ? world.messages : Math.min(world.messages, next + batchMessages)
    const refused = recovery.refused.some(
      (entry) => entry.ordinal === world.bad.ordinal && isSamePlace(entry, place(world.bad.offset)),
    )
    const dies = !refused && world.bad.offset >= next && world.bad.offset < until
    if (!dies) {
      next = until
      afterProgress(recovery, 1)
      continue
    }
    deaths += 1
    if (deaths > 100) break
    const verdict = afterDeath(recovery, {
      ...DEATH,
      step: recovery.careful ? writeOf(world, recovery, place(world.bad.offset)) : undefined,
      waiting: world.folder ? Infinity : world.messages - next,
      next: { partition: 0, offset: next, ...(world.folder ? { name: '' } : {}) },
    })
    if (verdict.stop !== undefined) throw verdict.stop
  }
  return { deaths, recovery }
}

/** What a careful child says that it writes, when it dies of the record. */
function writeOf({ bad, records }: World, { slice, caution }: Recovery, at: MessagePlace): Step {
  if (slice === undefined || !isSamePlace(slice, at))
    return caution.batchMessages === 1
      ? { doing: 'write', ...at, from: 0, until: records }
      : { doing: 'write' }
  const isInside = bad.ordinal >= slice.from && bad.ordinal < slice.until
  const from = isInside ? slice.from + Math.floor((bad.ordinal - slice.from) / slice.rows) * slice.rows : 0
  return { doing: 'write', ...at, from, until: Math.min(slice.until, from + slice.rows) }
}

test('a record that kills who writes it is found among millions, alone, within the bound', () => {
  fc.assert(
    fc.property(
      fc.record({
        messages: fc.integer({ min: 1, max: 20_000 }),
        records: fc.integer({ min: 1, max: 1_000_000 }),
        m: fc.nat(),
        r: fc.nat(),
        folder: fc.boolean(),
      }),
      ({ messages, records, m, r, folder }) => {
        const bad = { offset: m % messages, ordinal: r % records }
        const { deaths, recovery } = run({ messages, records, bad, folder })
        expect([recovery.poison, recovery.refused.map((entry) => [entry.offset, entry.ordinal])]).toEqual([
          [],
          [[bad.offset, bad.ordinal]],
        ])
        expect(deaths).toBeLessThanOrEqual(LIMITS.childDeathsMax + 10)
      },
    ),
    { numRuns: 300 },
  )
})
