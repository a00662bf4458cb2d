/**
 * What purchases cost: one price list, with discounts for volume and term. Money is whole cents of its
 * currency.
 */
import type { TimePeriod } from '../core/periods.ts'
import type { Price, PriceList, ResourceType } from './terms.ts'

/** A first example. The operator sets the real one. */
export const FIRST_PRICE_LIST: PriceList = {
  currency: 'EUR',
  dedicated_units: { hourly: 30, daily: 600, monthly: 15_000, yearly: 150_000 },
  vcpu_hours: { hourly: 9, daily: 8, monthly: 7, yearly: 6 },
  volume_discounts: [
    { from_quantity: 100, percent: 5 },
    { from_quantity: 1_000, percent: 10 },
  ],
  term_discounts: [{ from_periods: 12, percent: 5 }],
}

export interface Priced {
  resourceType: ResourceType
  quantity: number
  period: TimePeriod
  periods: number
}

/** The best volume discount and the best term discount, added; rounded half up to a cent. */
export function priceOf(list: PriceList, { resourceType, quantity, period, periods }: Priced): Price {
  const best = (percents: number[]): number => Math.max(0, ...percents)
  const listCents = list[resourceType][period] * quantity * periods
  const discount = Math.min(
    100,
    best(list.volume_discounts.filter((step) => quantity >= step.from_quantity).map((step) => step.percent)) +
      best(list.term_discounts.filter((step) => periods >= step.from_periods).map((step) => step.percent)),
  )
  return {
    currency: list.currency,
    list_cents: listCents,
    discount_percent: discount,
    total_cents: Math.round((listCents * (100 - discount)) / 100),
  }
}
