/**
 * What a check costs grows with the declaration as n log n, whatever it holds: an eightfold one costs some
 * eight times as much, and not 64 times. Times are compared with times of the same kind of text only.
 */
import { expect, test } from 'vitest'
import { checkDataset } from '../../src/dataset/check.ts'
import { sampled } from '../support/chance.ts'
import { COSTLY_TEXTS } from '../support/costly-values.ts'
import { HOSTILE_DECLARATIONS, declarationFields, withField } from '../support/hostile-declarations.ts'

const TIMES_AS_LARGE = 8
/** Between 8 and 64, far from both: the collector of garbage takes its time, too. */
const MOST_TIMES_AS_COSTLY = 24
/** The clock of a thread's work stands still for milliseconds at a time. */
const MEASURED_US = 30_000
const ATTEMPTS = 4

/** Microseconds of this thread's work for a check, done again until the clock can tell or so many times. */
function costUs(text: string, most = Infinity): number {
  const start = process.threadCpuUsage()
  for (let runs = 1; ; runs += 1) {
    checkDataset(text)
    const { user, system } = process.threadCpuUsage(start)
    if (user + system > MEASURED_US || runs === most) return (user + system) / runs
  }
}

/** How many times as much an eightfold text costs; the least of some attempts, as others work beside. */
function growth(make: (bytes: number) => string, bytes: number): number {
  const [small, large] = [make(bytes), make(bytes * TIMES_AS_LARGE)]
  checkDataset(small)
  // What the clock cannot tell has not grown.
  if (costUs(large, 1) < MEASURED_US) return 0
  let least = Infinity
  for (let attempt = 0; attempt < ATTEMPTS && least > MOST_TIMES_AS_COSTLY; attempt += 1)
    least = Math.min(least, costUs(large) / costUs(small))
  return least
}

test.each(sampled(Object.entries(HOSTILE_DECLARATIONS), 20))('%s', (_, make) => {
  expect(growth(make, 30_000)).toBeLessThanOrEqual(MOST_TIMES_AS_COSTLY)
})

const RECORDS = [{ format: 'json', path: '$' }, { format: 'xml', path: '/a' }, { format: 'csv' }]

const FIELDS = declarationFields().map((path) => [path.join('.'), path] as const)

test.each(sampled(FIELDS, 40))('%s', (name, path) => {
  const records = /^record|path$/.test(name) ? RECORDS : RECORDS.slice(0, 1)
  const growths = records.flatMap((record) =>
    Object.entries(COSTLY_TEXTS).map(([kind, make]) => {
      const text = (bytes: number): string => withField(path, JSON.stringify(make(bytes)), { record })
      return { kind: `${record.format}: ${kind}`, times: growth(text, 10_000) }
    }),
  )
  expect(growths.filter(({ times }) => times > MOST_TIMES_AS_COSTLY)).toEqual([])
})
