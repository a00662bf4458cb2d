/** Pauses that end early, attempts that end by their policy, and looks that end in time. */
import { expect, test } from 'vitest'
import { failure } from '../../src/core/errors.ts'
import { backoff, isTransient, pause, retry, waitUntil, type Sleeper } from '../../src/core/waiting.ts'

const LONG_MS = 600_000
const away = (): Error => failure('store_unreachable', { store: 'here', reason: 'it is away' })

/** Fails so often, then gives the number of its call. */
function failing(times: number, error: () => unknown = away): { calls: number; action(): Promise<number> } {
  const counted = {
    calls: 0,
    action: async () => {
      counted.calls += 1
      if (counted.calls <= times) throw error()
      return counted.calls
    },
  }
  return counted
}

test('a pause is ended by its signal, before it and within it, and by its sleeper', async () => {
  await pause(LONG_MS, { signal: AbortSignal.abort() })
  const stopping = new AbortController()
  const stopped = pause(LONG_MS, { signal: stopping.signal })
  stopping.abort()
  await stopped
  const sleeper: Sleeper = { wake: () => undefined }
  const woken = pause(LONG_MS, { sleeper })
  sleeper.wake()
  await woken
})

test('what may pass is tried until it succeeds; what may not is thrown at once', async () => {
  const policy = { mayPass: isTransient }
  const passing = failing(3)
  expect(await retry(passing.action, policy)).toBe(4)
  const wrong = failing(3, () => failure('lease_lost', {}))
  await expect(retry(wrong.action, policy)).rejects.toMatchObject({ code: 'lease_lost' })
  expect(wrong.calls).toBe(1)
})

test('attempts are counted, each failure is told once, and the last error is thrown', async () => {
  const failures: unknown[] = []
  const action = failing(Infinity)
  const policy = {
    mayPass: isTransient,
    attempts: 4,
    onFailure: (error: unknown) => failures.push(error),
  }
  await expect(retry(action.action, policy)).rejects.toMatchObject({ code: 'store_unreachable' })
  expect([action.calls, failures.length]).toEqual([4, 3])
})

test('a signal ends the pause, and one more attempt is the last', async () => {
  const stopping = new AbortController()
  const action = failing(Infinity)
  const policy = {
    mayPass: isTransient,
    firstPauseMs: LONG_MS,
    signal: stopping.signal,
    onFailure: () => setTimeout(() => stopping.abort()),
  }
  await expect(retry(action.action, policy)).rejects.toMatchObject({ code: 'store_unreachable' })
  expect(action.calls).toBe(2)
})

test('no attempt begins after the time is over, and pauses that would end later are not begun', async () => {
  const action = failing(Infinity)
  const policy = { mayPass: isTransient, withinMs: 1_000, firstPauseMs: LONG_MS }
  await expect(retry(action.action, policy)).rejects.toMatchObject({ code: 'store_unreachable' })
  expect(action.calls).toBe(1)
  const rest = backoff({ withinMs: 60_000, firstPauseMs: 1, longestPauseMs: 4 })
  expect([await rest(), await rest(), await rest(), await rest()]).toEqual([true, true, true, true])
})

test('waiting until something is so looks at least once, and gives up in time', async () => {
  let looks = 0
  expect(await waitUntil(() => (looks += 1) === 3, { everyMs: 1 })).toBe(true)
  expect(looks).toBe(3)
  expect(await waitUntil(() => false, { everyMs: 1, withinMs: 0 })).toBe(false)
})
