/** The trend of capacity: found through odd days, not made up, and never from too little. */
import { expect, test } from 'vitest'
import { forecast } from '../../src/learning/forecast.ts'
import { createChance } from '../support/chance.ts'

const chance = createChance()
/** A line with weekends at half, noise, and an outage and a rush among them. */
const year = (perDay: number, days: number): number[] =>
  Array.from({ length: days }, (_, i) => {
    if (i === 20) return 0
    if (i === 33) return 400
    return (100 + perDay * i) * (i % 7 >= 5 ? 0.5 : 1) * (0.97 + chance() * 0.06)
  })

test.each([0.5, 1, 2])(
  'grows by %d cores a day: found within a fifth, and the day on which it is full within a tenth',
  (perDay) => {
    const found = forecast(year(perDay, 80), 100 + perDay * 140, 365)
    expect(found?.perDay).toBeGreaterThan(perDay * 0.8)
    expect(found?.perDay).toBeLessThan(perDay * 1.2)
    expect(Math.abs((found?.daysUntilFull ?? Infinity) + 79 - 140)).toBeLessThan(14)
  },
)

test('no growth: never full; shrinking: neither; too few days: nothing is said; full already: today', () => {
  expect(
    forecast(
      Array.from({ length: 60 }, () => 50),
      100,
      90,
    ),
  ).toMatchObject({ perDay: 0, daysUntilFull: undefined, atHorizon: 50 })
  expect(
    forecast(
      Array.from({ length: 60 }, (_, i) => 90 - i),
      100,
      90,
    )?.daysUntilFull,
  ).toBeUndefined()
  expect(forecast([1, 2, 3], 100, 90)).toBeUndefined()
  expect(
    forecast(
      Array.from({ length: 30 }, () => 120),
      100,
      90,
    ),
  ).toMatchObject({ daysUntilFull: 0 })
})
