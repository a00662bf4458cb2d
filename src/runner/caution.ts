/**
 * How carefully a range is read after children died on it without an error: fewer messages per batch after
 * each death, more again after commits, until the one message that kills its decoder stands alone. Pure; the
 * supervisor acts on it.
 */

export interface Caution {
  /** Messages per Kafka partition and batch. 0: unlimited. At 1, one partition at a time. */
  batchMessages: number
  /** Commits since the last death. */
  successes: number
  /**
   * With one message per batch: a child died on the next message. A second death accuses the message; the
   * machine may have caused the first.
   */
  suspected: boolean
  /** Which partition is read first if only one is. */
  turn: number
}

export const NO_CAUTION: Caution = { batchMessages: 0, successes: 0, suspected: false, turn: 0 }

const FIRST_BOUND = 1_024
const STEP = 8
/** Commits in a row before the limit grows: if it grew at once, it would meet the same message again. */
const SUCCESSES_TO_GROW = STEP

/**
 * For deaths with a limit above one. `waiting`: the most messages that wait in one of the Kafka partitions,
 * Infinity if unknown. A higher limit would limit nothing.
 */
export function afterSilentDeath(caution: Caution, waiting: number): Caution {
  const tried = Math.min(caution.batchMessages || Infinity, waiting)
  return {
    batchMessages: Math.max(1, Math.min(FIRST_BOUND, Math.floor(tried / STEP))),
    successes: 0,
    suspected: false,
    turn: caution.turn,
  }
}

/**
 * The message that kills is known and will be skipped. So the next commit may grow: nothing else is suspected
 * yet.
 */
export function afterIsolation(caution: Caution): Caution {
  return { ...caution, successes: SUCCESSES_TO_GROW - 1, suspected: false }
}

/** The turn passes when the limit grows. If the next child dies, the search starts in another partition. */
export function afterCommit(caution: Caution): Caution {
  const successes = caution.successes + 1
  if (successes < SUCCESSES_TO_GROW) return { ...caution, successes, suspected: false }
  const wider = caution.batchMessages * STEP
  return {
    batchMessages: wider > FIRST_BOUND ? 0 : wider,
    successes: 0,
    suspected: false,
    turn: caution.turn + 1,
  }
}
