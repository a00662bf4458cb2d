/**
 * When use will exceed capacity: a robust line through daily peaks (Theil 1950, Sen 1968: the median of all
 * slopes, which a few odd days do not move), and how far days lie above it. Weeks repeat: peaks are of seven
 * days.
 */

export interface Forecast {
  /** Cores more (or less) per day. */
  perDay: number
  /** The upper bound of the newest day's expected use, in nine of ten cases. */
  now: number
  /** Days until that reaches the limit. Undefined if it does not within the horizon. 0: it already has. */
  daysUntilFull: number | undefined
  /** The upper bound at the end of the horizon, in nine of ten cases. */
  atHorizon: number
  days: number
}

/** Fewer days prove no trend. */
export const LEAST_DAYS = 14
const WEEK = 7

/** `peaks`: one per day, oldest first. Undefined if there are too few. */
export function forecast(peaks: number[], limit: number, horizonDays: number): Forecast | undefined {
  if (peaks.length < LEAST_DAYS) return undefined
  const weekly = peaks
    .map((_, i) => Math.max(...peaks.slice(Math.max(0, i - WEEK + 1), i + 1)))
    .slice(WEEK - 1)
  const slopes = weekly.flatMap((value, i) =>
    weekly.slice(i + 1).map((later, j) => (later - value) / (j + 1)),
  )
  const perDay = quantile(slopes, 0.5)
  const start = quantile(
    weekly.map((value, i) => value - perDay * i),
    0.5,
  )
  const above = Math.max(
    0,
    quantile(
      weekly.map((value, i) => value - (start + perDay * i)),
      0.9,
    ),
  )
  const at = (day: number): number => Math.max(0, start + perDay * (weekly.length - 1 + day) + above)
  const crossing = perDay > 0 ? Math.ceil((limit - at(0)) / perDay) : Infinity
  const later = crossing <= horizonDays ? Math.max(1, crossing) : undefined
  return {
    perDay: round(perDay),
    now: round(at(0)),
    daysUntilFull: at(0) >= limit ? 0 : later,
    atHorizon: round(at(horizonDays)),
    days: peaks.length,
  }
}

const round = (value: number): number => Math.round(value * 100) / 100

function quantile(values: number[], share: number): number {
  if (values.length === 0) return 0
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}
