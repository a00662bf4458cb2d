/** The lock of a dataset's stream, taken by several processes at once. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const RACER = resolve('test/support/lock-racer.ts')
const MS = 4_000

test.each(['free', 'held by one that died'])(
  'a lock that is %s: of many that take it at once one has it',
  async (state) => {
    const folder = mkdtempSync(join(tmpdir(), 'headrace-locks-'))
    mkdirSync(join(folder, 'locks'))
    const leave = (): void => {
      // A process that has ended: nobody has its number, or another that began later.
      const holder = { pid: process.pid, since: new Date().toISOString(), started: '1' }
      writeFileSync(join(folder, 'locks', 'stream-one.lock'), JSON.stringify(holder), { flag: 'wx' })
    }
    const dying = setInterval(() => {
      try {
        if (state !== 'free') leave()
      } catch {
        // Somebody has it.
      }
    }, 5)
    const racers = Array.from({ length: 4 }, () =>
      promisify(execFile)(process.execPath, [RACER, folder, String(MS)]),
    )
    const found = (await Promise.all(racers)).map(
      ({ stdout }) => JSON.parse(stdout) as { taken: number; together: number },
    )
    clearInterval(dying)
    rmSync(folder, { recursive: true, force: true })
    expect(found.reduce((sum, racer) => sum + racer.taken, 0)).toBeGreaterThan(50)
    expect(found.map((racer) => racer.together)).toEqual([0, 0, 0, 0])
  },
)
