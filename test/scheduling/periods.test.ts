import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TIME_PERIODS, periodStart, wholePeriods } from '../../src/core/periods.ts'
import { FIRST_PRICE_LIST, priceOf } from '../../src/scheduling/prices.ts'

const at = (text: string): Date => new Date(`${text}T00:00:00Z`)

test('whole periods are counted, months by the calendar', () => {
  expect(wholePeriods(at('2024-01-01'), at('2024-02-01'), 'monthly')).toEqual({ count: 1 })
  expect(wholePeriods(at('2024-01-31'), at('2024-02-29'), 'monthly')).toEqual({ count: 1 })
  expect(wholePeriods(at('2024-01-31'), at('2024-03-31'), 'monthly')).toEqual({ count: 2 })
  expect(wholePeriods(at('2024-02-29'), at('2025-02-28'), 'yearly')).toEqual({ count: 1 })
  expect(wholePeriods(at('2026-03-28'), at('2026-03-30'), 'daily')).toEqual({ count: 2 })
})

test('an end that is none says which two would be', () => {
  expect(wholePeriods(at('2026-01-01'), at('2026-02-15'), 'monthly')).toEqual({
    ends: [at('2026-02-01'), at('2026-03-01')],
  })
  expect(wholePeriods(at('2026-01-01'), at('2026-01-10'), 'monthly')).toEqual({ ends: [at('2026-02-01')] })
})

test('any number of periods from any start is recognised as that number', () => {
  fc.assert(
    fc.property(
      fc.date({ min: at('2000-01-01'), max: at('2100-01-01'), noInvalidDate: true }),
      fc.constantFrom(...TIME_PERIODS),
      fc.integer({ min: 1, max: 200 }),
      (from, period, count) => {
        expect(wholePeriods(from, periodStart(from, period, count), period)).toEqual({ count })
      },
    ),
    { numRuns: 2_000 },
  )
})

test('prices: list, volume and term discounts added, rounded to a cent', () => {
  expect(
    priceOf(FIRST_PRICE_LIST, { resourceType: 'vcpu_hours', quantity: 100, period: 'monthly', periods: 1 }),
  ).toEqual({ currency: 'EUR', list_cents: 700, discount_percent: 5, total_cents: 665 })
  expect(
    priceOf(FIRST_PRICE_LIST, {
      resourceType: 'dedicated_units',
      quantity: 1,
      period: 'monthly',
      periods: 12,
    }),
  ).toMatchObject({ list_cents: 180_000, discount_percent: 5, total_cents: 171_000 })
  expect(
    priceOf(FIRST_PRICE_LIST, {
      resourceType: 'vcpu_hours',
      quantity: 1_000,
      period: 'monthly',
      periods: 12,
    }),
  ).toMatchObject({ discount_percent: 15 })
})
