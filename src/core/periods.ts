/** Periods of purchases: calendar arithmetic in UTC, and the ends that make a whole number of periods. */

export const TIME_PERIODS = ['hourly', 'daily', 'monthly', 'yearly'] as const
export type TimePeriod = (typeof TIME_PERIODS)[number]

const MONTHS: Partial<Record<TimePeriod, number>> = { monthly: 1, yearly: 12 }
const FIXED_MS: Partial<Record<TimePeriod, number>> = { hourly: 3_600_000, daily: 86_400_000 }

/**
 * Start of period number `count` (0 is the first). In a month that is too short for the day, the last day
 * counts.
 */
export function periodStart(from: Date, period: TimePeriod, count: number): Date {
  const months = MONTHS[period]
  if (months === undefined) return new Date(from.getTime() + count * (FIXED_MS[period] as number))
  const month = from.getUTCMonth() + count * months
  const lastDay = new Date(Date.UTC(from.getUTCFullYear(), month + 1, 0)).getUTCDate()
  const at = new Date(from)
  at.setUTCFullYear(from.getUTCFullYear(), month, Math.min(from.getUTCDate(), lastDay))
  return at
}

/** The number of periods between two times, or the two ends nearest to `until` that make a whole number. */
export function wholePeriods(
  from: Date,
  until: Date,
  period: TimePeriod,
): { count: number } | { ends: Date[] } {
  const averageMs = FIXED_MS[period] ?? (MONTHS[period] as number) * 30.436875 * 86_400_000
  // The guess is wrong by at most one period, whatever the months between.
  let count = Math.max(1, Math.round((until.getTime() - from.getTime()) / averageMs) - 1)
  while (periodStart(from, period, count) < until) count += 1
  if (periodStart(from, period, count).getTime() === until.getTime()) return { count }
  return {
    ends: [count - 1, count]
      .filter((periods) => periods >= 1)
      .map((periods) => periodStart(from, period, periods)),
  }
}
