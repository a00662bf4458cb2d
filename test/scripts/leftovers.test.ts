/** What a run of tests left running is found by its folder, ended and named; others are left alone. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { endLeftovers, leftoversOf } from '../../scripts/leftovers.ts'

const SLEEPER = ['-e', 'setInterval(() => undefined, 1_000)']

test('a server that a test left running is ended and named; another run is not touched', async () => {
  const [own, other] = [1, 2].map(() => mkdtempSync(join(tmpdir(), 'headrace-leftovers-')))
  const start = (TMPDIR: string): ReturnType<typeof spawn> =>
    spawn(process.execPath, SLEEPER, { env: { ...process.env, TMPDIR }, detached: true, stdio: 'ignore' })
  const [left, theirs] = [start(own), start(other)]
  await Promise.all([once(left, 'spawn'), once(theirs, 'spawn')])
  const ended = once(left, 'exit')
  expect(endLeftovers(own)).toEqual([expect.stringContaining(`${left.pid} ${process.execPath}`)])
  expect(await ended).toEqual([null, 'SIGKILL'])
  expect(leftoversOf(other).map(({ pid }) => pid)).toEqual([theirs.pid])
  expect(endLeftovers(own)).toEqual([])
  theirs.kill('SIGKILL')
})
