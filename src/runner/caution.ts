/**
 * How carefully a range is read after children died on it without a word: fewer messages a batch after each death, more
 * again after commits, until the one message that kills its decoder stands alone. Pure; the supervisor acts on it.
 */

export interface Caution {
  /** Messages per Kafka partition and batch; 0: no bound. At 1, one partition at a time. */
  batchMessages: number
  /** Commits since the last death. */
  successes: number
  /** Which partition is read next when only one is. */
  turn: number
}

export const NO_CAUTION: Caution = { batchMessages: 0, successes: 0, turn: 0 }

const FIRST_BOUND = 1_024
const STEP = 8
/** Commits in a row before the bound grows: growing at once would meet the same message again. */
const SUCCESSES_TO_GROW = STEP

export function afterSilentDeath(caution: Caution): Caution {
  const { batchMessages, turn } = caution
  if (batchMessages === 0) return { batchMessages: FIRST_BOUND, successes: 0, turn }
  return { batchMessages: Math.max(1, Math.floor(batchMessages / STEP)), successes: 0, turn }
}

export function afterCommit(caution: Caution): Caution {
  const successes = caution.successes + 1
  const turn = caution.turn + 1
  if (successes < SUCCESSES_TO_GROW) return { ...caution, successes, turn }
  const wider = caution.batchMessages * STEP
  return { batchMessages: wider > FIRST_BOUND ? 0 : wider, successes: 0, turn }
}
