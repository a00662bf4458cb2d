/** Draws from a seed: numbers, digits, one of several, and what happens at times. */
import type { Chance } from './chance.ts'

export interface Draw {
  below(limit: number): number
  oneOf<T>(choices: readonly T[]): T
  often(share: number): boolean
  digits(count: number): string
}

export function createDraw(chance: Chance): Draw {
  // The low bits of the generator repeat soon; two draws make one that does not.
  const next = (): number => (chance() + Math.floor(chance() * 65_536)) / 65_536
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    below,
    oneOf: (choices) => choices[below(choices.length)],
    often: (share) => next() < share,
    digits: (count) => Array.from({ length: count }, () => String(below(10))).join(''),
  }
}
