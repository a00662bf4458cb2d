/**
 * Amounts of the ledger: whole microseconds of CPU in a bigint, so that sums are exact and a `+` with a float
 * does not compile. One vCPU-hour is 3,600,000,000 of them; a 64-bit column holds 2.5 million vCPU-years.
 */

export type CpuMicros = bigint

export const VCPU_HOUR: CpuMicros = 3_600_000_000n

/** What an execution may use by its estimate: cores times minutes. */
export function estimateOf(cpuCores: number, minutes: number): CpuMicros {
  return BigInt(cpuCores) * BigInt(minutes) * 60_000_000n
}

/** What an execution is charged: the cores that are booked for it, for as long as it ran, by the second. */
export function chargeOf(cpuCores: number, elapsedMs: number): CpuMicros {
  return BigInt(cpuCores) * BigInt(Math.ceil(Math.max(0, elapsedMs) / 1_000)) * 1_000_000n
}

/**
 * For people and the API: vCPU-hours, exact to the sixth decimal, rounded towards zero (a balance is never
 * shown larger than it is). One second of one core, the least that is charged, is 0.000277.
 */
export function vcpuHours(amount: CpuMicros): number {
  return Number((amount * 1_000_000n) / VCPU_HOUR) / 1_000_000
}

/** Figures of receipts and reports: to the third decimal. */
export const thousandths = (value: number): number => Math.round(value * 1_000) / 1_000

/** For amounts that a user must buy: rounded up, so that buying the stated amount is enough. */
export function vcpuHoursUp(amount: CpuMicros): number {
  return Number((amount * 1_000n + VCPU_HOUR - 1n) / VCPU_HOUR) / 1_000
}

/** One dedicated unit. */
export const UNIT = { cpuCores: 4, memoryGb: 8 } as const

/** The number of units with this capacity, as a fraction. */
export function unitsOf(cpuCores: number, memoryGb: number): number {
  return Math.max(cpuCores / UNIT.cpuCores, memoryGb / UNIT.memoryGb)
}
