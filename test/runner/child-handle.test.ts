/** What a supervisor's side of a child does with one that does not end by itself. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import { createChildHandle, type ChildHandle } from '../../src/runner/child-handle.ts'
import type { ChildSettings, ToSupervisor } from '../../src/runner/protocol.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

interface Staged {
  handle: ChildHandle
  sent: string[]
  kills: number[]
  says(message: ToSupervisor): void
}

/** A child that says and does only what the test lets it. */
function staged(): Staged {
  const sent: string[] = []
  const kills: number[] = []
  let hear: (message: ToSupervisor) => void = () => undefined
  let end: (reason: string) => void = () => undefined
  const began = Date.now()
  const handle = createChildHandle(
    {
      send: (message) => void sent.push(message.type),
      kill() {
        kills.push(Date.now() - began)
        end('signal SIGKILL')
      },
      onMessage: (handler) => void (hear = handler),
      onEnd: (handler) => void (end = handler),
    },
    {
      settings: {} as ChildSettings,
      onAlive: () => undefined,
      onTrouble: () => undefined,
      onAllRead: () => undefined,
      nowMs: Date.now,
    },
  )
  return { handle, sent, kills, says: (message) => hear(message) }
}

const ALIVE: ToSupervisor = {
  type: 'alive',
  rssBytes: 0,
  heapBytes: 0,
  ends: [],
  positions: [],
  windowBytes: 0,
  windowMessages: 0,
}

test('one that was retired and goes on, its heart beating, is killed when a silent one would be', async () => {
  const { handle, sent, kills, says } = staged()
  handle.retire()
  expect(sent).toEqual(['start', 'stop'])
  for (let at = 0; at < LIMITS.childDeadlineMs - 1_000; at += 1_000) {
    await vi.advanceTimersByTimeAsync(1_000)
    says(ALIVE)
  }
  expect([handle.ended, kills]).toEqual([false, []])
  await vi.advanceTimersByTimeAsync(1_000)
  expect([handle.ended, handle.retired, kills]).toEqual([true, true, [LIMITS.childDeadlineMs]])
})

test('one that says nothing is killed; one that speaks is not', async () => {
  const [silent, speaking] = [staged(), staged()]
  for (let at = 0; at < LIMITS.childDeadlineMs * 2; at += LIMITS.childHeartbeatMs) {
    await vi.advanceTimersByTimeAsync(LIMITS.childHeartbeatMs)
    speaking.says(ALIVE)
  }
  expect([silent.handle.ended, silent.handle.endReason, speaking.handle.ended]).toEqual([
    true,
    'said nothing for 30 s',
    false,
  ])
})
