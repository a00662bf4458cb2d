/**
 * Days and seconds of the proleptic Gregorian calendar, for the years that every reader of a table can hold:
 * 1 to 9999.
 */

export const DAY_SECONDS = 86_400
/** Days from 1970-01-01 to 0001-01-01 and to 9999-12-31. */
export const FIRST_DAY = -719_162
export const LAST_DAY = 2_932_896
/** The first second of year 1, and the first second after year 9999. */
export const FIRST_SECOND = FIRST_DAY * DAY_SECONDS
export const END_SECOND = (LAST_DAY + 1) * DAY_SECONDS

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const ERA_DAYS = 146_097

/**
 * Days since 1970-01-01 of a calendar date, or NaN when there is no such day. Arithmetic instead of a `Date`
 * (after Howard Hinnant's days_from_civil): this runs for every date of every record.
 */
export function daysOf(year: number, month: number, day: number): number {
  if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1) return NaN
  if (day > 28 && day > MONTH_DAYS[month - 1] + (month === 2 && isLeap(year) ? 1 : 0)) return NaN
  const y = month <= 2 ? year - 1 : year
  const era = (y / 400) | 0
  const ofEra = y - era * 400
  const ofYear = ((((month + (month > 2 ? -3 : 9)) * 153 + 2) / 5) | 0) + day - 1
  return era * ERA_DAYS + ofEra * 365 + ((ofEra / 4) | 0) - ((ofEra / 100) | 0) + ofYear - 719_468
}

function isLeap(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
}

/** 0 is Monday, 6 is Sunday. */
export function weekdayOf(days: number): number {
  return (((days + 3) % 7) + 7) % 7
}

/** Year, month and day of days since 1970-01-01 in the years 1 to 9999. */
export function civilOf(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468
  const era = Math.floor(shifted / ERA_DAYS)
  const ofEra = shifted - era * ERA_DAYS
  const year = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  )
  const ofYear = ofEra - (365 * year + Math.floor(year / 4) - Math.floor(year / 100))
  const shiftedMonth = Math.floor((5 * ofYear + 2) / 153)
  const day = ofYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  return { year: year + era * 400 + (month <= 2 ? 1 : 0), month, day }
}

/** `2024-02-29`. */
export function dateText(days: number): string {
  const { year, month, day } = civilOf(days)
  return `${padded(year, 4)}-${padded(month, 2)}-${padded(day, 2)}`
}

/** `2024-02-29T01:02:03Z`, with six digits of fraction where there are any. */
export function timestampText(seconds: number, micros: number): string {
  const days = Math.floor(seconds / DAY_SECONDS)
  const ofDay = seconds - days * DAY_SECONDS
  const hour = Math.floor(ofDay / 3600)
  const minute = Math.floor(ofDay / 60) % 60
  const time = `${padded(hour, 2)}:${padded(minute, 2)}:${padded(ofDay % 60, 2)}`
  return `${dateText(days)}T${time}${micros === 0 ? '' : `.${padded(micros, 6)}`}Z`
}

function padded(value: number, width: number): string {
  return String(value).padStart(width, '0')
}
