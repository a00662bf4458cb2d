/** Streams of a suspended tenant stop within 30 s, those that do not listen too. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { stop, type Running } from '../../src/control/loops/running-execution.ts'
import { openFolder } from '../support/service.ts'

/** A runner hears of it with its next heartbeat (3 s), and its loop turns each half second. */
const HEARD_MS = 3_500

test('a stream that does not end when it is told to is ended within 30 s of the request', async () => {
  const entry = join(openFolder('headrace-deaf-'), 'deaf.mjs')
  writeFileSync(entry, "process.on('message', () => undefined); setInterval(() => undefined, 1_000)")
  const child = fork(entry, [], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
  await once(child, 'spawn')
  // A stream's process sits in the middle of a system call and hears nothing.
  process.kill(child.pid as number, 'SIGSTOP')
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  const run = { child, rolling: {}, state: { name: 'running' } } as unknown as Running
  stop(run, 'cancelled')
  // A stream that listens has 20 s for its last commit, whatever the machine.
  vi.advanceTimersByTime(20_000)
  expect(child.killed).toBe(false)
  vi.advanceTimersByTime(10_000 - HEARD_MS)
  const [, signal] = await once(child, 'exit')
  expect(signal).toBe('SIGKILL')
})

afterEach(() => vi.useRealTimers())
