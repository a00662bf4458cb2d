/**
 * What follows the death of a child. An error with a known cause decides: an outage is waited for, a mistake
 * in the declaration stops the job. For all other deaths, a message may be to blame: the next child is
 * careful, then reads less, until the message or the record stands alone; it is quarantined, and everything
 * around it is accepted. Each way has a limit, after which the job stops with an error. Pure except for the
 * record that it keeps; the supervisor acts on the verdict.
 */
import { failure, type HeadraceError } from '../core/errors.ts'
import type { RefusedRow } from '../core/engine.ts'
import { LIMITS } from '../core/limits.ts'
import { NO_CAUTION, afterCommit, afterIsolation, afterSilentDeath, type Caution } from './caution.ts'
import { isSamePlace } from './intake.ts'
import type { MessagePlace, PoisonMessage, RefusedRecord, Slice, Step } from './protocol.ts'
import { STORAGE_PAUSE_MS, STORAGE_WAITS } from '../core/waiting.ts'

/** What is known of one child's share of the source, across all its children. */
export interface Recovery {
  /** Deaths since the last progress that a message may have caused. */
  deaths: number
  /** Deaths since the last progress caused by outages. */
  outages: number
  /** Messages and records accused since the last record was accepted. */
  accused: number
  /** How often drift requested columns in vain since the last commit. */
  drifts: number
  caution: Caution
  careful: boolean
  share: number
  /**
   * The step at which the last careful child died. A second time is proof; the machine may have caused the
   * first.
   */
  suspect: Step | undefined
  slice: Slice | undefined
  poison: PoisonMessage[]
  refused: RefusedRecord[]
}

export interface Death {
  job: string
  /** How the process ended. */
  reason: string
  failed: HeadraceError | undefined
  hung: boolean
  begun: boolean
  /** The last step that a careful child announced. */
  step: Step | undefined
  /** The work is done elsewhere: only the position tells which message it was. */
  remote: boolean
  /** The most messages that wait in one partition. Infinity if unknown. */
  waiting: number
  /** Where the first of its partitions continues, and all of them as text for people. */
  next: MessagePlace
  position: string
}

/** The pause before the next child, or why there is none. */
export type Verdict = { pauseMs: number; stop?: undefined } | { stop: HeadraceError }

export function createRecovery(): Recovery {
  return {
    deaths: 0,
    outages: 0,
    accused: 0,
    drifts: 0,
    caution: NO_CAUTION,
    careful: false,
    share: 1,
    suspect: undefined,
    slice: undefined,
    poison: [],
    refused: [],
  }
}

/** Errors that a message may have caused. */
const BLAMES: readonly string[] = ['engine_failed', 'memory_exceeded', 'decoder_crashed', 'internal']
/** Errors of class data that a retry may cure. */
const CURABLE: readonly string[] = ['file_changed']
const SHARE_STEP = 8
const SHARE_MAX = 512
/**
 * Into how many pieces a message is split to search for its record: a piece costs a file of 20 ms, an attempt
 * the start of a process.
 */
const PIECES = 32
const AGAIN: Verdict = { pauseMs: 0 }

export function afterDeath(recovery: Recovery, death: Death): Verdict {
  const { failed } = death
  if (failed?.code === 'rows_refused') return refuse(recovery, death, failed)
  if (failed !== undefined && !BLAMES.includes(failed.code)) return afterOutage(recovery, death, failed)
  recovery.deaths += 1
  if (recovery.deaths > LIMITS.childDeathsMax)
    return { stop: failed?.code === 'internal' ? failed : noProgress(death, recovery.deaths) }
  if (!death.begun || death.waiting <= 0) return { pauseMs: backoff(recovery.deaths) }
  if (death.remote) return narrowRemote(recovery, death)
  if (failed?.code === 'memory_exceeded' && recovery.share < SHARE_MAX) {
    recovery.share *= SHARE_STEP
    return AGAIN
  }
  return narrow(recovery, death)
}

/** No message caused it. */
function afterOutage(recovery: Recovery, death: Death, failed: HeadraceError): Verdict {
  if (STORAGE_WAITS.includes(failed.code)) return { pauseMs: STORAGE_PAUSE_MS }
  if (failed.errorClass !== 'transient' && !CURABLE.includes(failed.code)) return { stop: failed }
  recovery.outages += 1
  return recovery.outages > LIMITS.childOutagesMax
    ? { stop: noProgress(death, recovery.outages) }
    : { pauseMs: backoff(recovery.outages) }
}

/** After a commit. True: the next child needs other settings, so the present one must be replaced. */
export function afterProgress(recovery: Recovery, accepted: number): boolean {
  Object.assign(recovery, { deaths: 0, outages: 0, drifts: 0 })
  if (accepted > 0) recovery.accused = 0
  const {
    careful,
    caution: { batchMessages },
  } = recovery
  if (batchMessages === 0 && !careful) return false
  recovery.caution =
    batchMessages === 0
      ? { ...recovery.caution, successes: recovery.caution.successes + 1 }
      : afterCommit(recovery.caution)
  if (batchMessages === 0 && recovery.caution.successes < CALM_COMMITS) return false
  if (recovery.caution.batchMessages === 0)
    Object.assign(recovery, { careful: false, suspect: undefined, slice: undefined, caution: NO_CAUTION })
  return recovery.caution.batchMessages !== batchMessages || recovery.careful !== careful
}

/** Commits in a row after which a careful child is replaced by one that is not. */
const CALM_COMMITS = 2

/** Drift requested columns; `added` of them are new. */
export function afterDrift(recovery: Recovery, job: string, paths: string[], added: number): Verdict {
  recovery.drifts = added > 0 ? 0 : recovery.drifts + 1
  if (recovery.drifts < LIMITS.fruitlessDrifts) return AGAIN
  return {
    stop: failure('drift_stuck', {
      job,
      paths: `${paths.slice(0, 5).join(', ')}${paths.length > 5 ? ` and ${paths.length - 5} more` : ''}`,
    }),
  }
}

/** Forgets what is known of messages that are done. */
export function forget(recovery: Recovery, isBehind: (place: MessagePlace) => boolean): void {
  recovery.poison = recovery.poison.filter((place) => !isBehind(place))
  recovery.refused = recovery.refused.filter((row) => !isBehind(row))
}

/** The engine named the rows itself: they are left out, and no search is needed. */
function refuse(recovery: Recovery, death: Death, failed: HeadraceError): Verdict {
  const rows = failed.params.rows as (RefusedRow & { name?: string })[]
  const fresh = rows.filter(
    (row) => !recovery.refused.some((known) => known.ordinal === row.ordinal && isSamePlace(known, row)),
  )
  recovery.deaths = fresh.length > 0 ? 0 : recovery.deaths + 1
  if (recovery.deaths > LIMITS.childDeathsMax) return { stop: noProgress(death, recovery.deaths) }
  if (death.remote) for (const row of fresh) recovery.poison.push({ ...row, rule: 'engine_refused' })
  else recovery.refused.push(...fresh)
  return AGAIN
}

function narrow(recovery: Recovery, death: Death): Verdict {
  const { step } = death
  if (!recovery.careful) {
    recovery.careful = death.hung || recovery.deaths >= LIMITS.childDeathsBeforeCare
    // A folder has few files with many records: one file at a time from here on.
    if (recovery.careful && death.next.name !== undefined)
      recovery.caution = { ...NO_CAUTION, batchMessages: 1 }
    return AGAIN
  }
  if (step === undefined) return { pauseMs: backoff(recovery.deaths) }
  if (step.doing === 'write' && step.from === undefined) {
    recovery.caution =
      death.next.name !== undefined
        ? { ...NO_CAUTION, batchMessages: 1 }
        : afterSilentDeath(recovery.caution, death.waiting)
    return AGAIN
  }
  if (step.doing === 'write' && step.until - step.from > 1) {
    const { partition, offset, name, from, until } = step
    recovery.slice = { partition, offset, name, from, until, rows: Math.ceil((until - from) / PIECES) }
    return AGAIN
  }
  if (!isSameStep(recovery.suspect, step)) {
    recovery.suspect = step
    return AGAIN
  }
  return accuse(recovery, death, step)
}

function isSameStep(a: Step | undefined, b: MessagePlace & Step): boolean {
  if (a === undefined || a.doing !== b.doing) return false
  if (a.doing === 'write' && a.from === undefined) return false
  return (
    isSamePlace(a as MessagePlace, b) && (a.doing === 'decode' || a.from === (b as { from?: number }).from)
  )
}

/** The engine reads the topic itself: fewer messages at a time, until one is left. */
function narrowRemote(recovery: Recovery, death: Death): Verdict {
  const { caution } = recovery
  if (caution.batchMessages === 1) {
    if (caution.suspected) return accuse(recovery, death, { doing: 'decode', ...death.next })
    recovery.caution = { ...caution, suspected: true }
  } else if (recovery.deaths >= LIMITS.childDeathsBeforeCare)
    recovery.caution = afterSilentDeath(caution, death.waiting)
  return AGAIN
}

/** If many in a row are accused, and nothing is accepted in between, the messages are not the cause. */
function accuse(recovery: Recovery, death: Death, step: MessagePlace & Step): Verdict {
  const { failed } = death
  recovery.accused += 1
  if (recovery.accused > LIMITS.accusedInARow) return { stop: noProgress(death, recovery.accused) }
  const { partition, offset, name } = step
  const why = failed === undefined || failed.code === 'decoder_crashed' ? death.reason : failed.message
  if (step.doing === 'write' && step.from !== undefined && step.until > step.from)
    recovery.refused.push({
      partition,
      offset,
      name,
      ordinal: step.from,
      reason: `writing this record ended the process twice: ${why}`,
    })
  else
    recovery.poison.push({
      partition,
      offset,
      name,
      rule: ruleOf(failed),
      reason: `decoding this message ended the process twice: ${why}`,
    })
  Object.assign(recovery, {
    deaths: 0,
    suspect: undefined,
    slice: undefined,
    caution:
      recovery.caution.batchMessages === 0
        ? { ...recovery.caution, successes: 0 }
        : afterIsolation(recovery.caution),
  })
  return AGAIN
}

function ruleOf(failed: HeadraceError | undefined): string {
  if (failed === undefined || failed.code === 'decoder_crashed') return 'decoder_crashed'
  return failed.code === 'internal' ? 'decoder_failed' : 'engine_refused'
}

function noProgress(death: Death, count: number): HeadraceError {
  return failure('child_failed', {
    job: death.job,
    position: death.position,
    count,
    reason: death.failed?.message ?? death.reason,
  })
}

function backoff(count: number): number {
  return count < 2 ? 0 : Math.min(25 * 2 ** count, 5_000)
}
