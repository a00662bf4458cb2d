/** The demo as a new user runs it: all counts agree, the service goes on, and it can be ended. */
import { expect, test } from 'vitest'
import { freePort } from '../../src/host/jvm-servers.ts'
import { openFolder } from '../support/service.ts'
import { cli } from '../support/system.ts'

test('every count agrees; the service it left running answers, until it is stopped', async () => {
  const where = { env: { ...process.env, HEADRACE_HOME: openFolder('headrace-demo-') } }
  try {
    const { code, stdout, stderr } = await cli(where, [
      'demo',
      '--messages',
      '8000',
      '--port',
      String(await freePort()),
    ])
    expect(code, stderr).toBe(0)
    expect(stdout).not.toMatch(/ NO /)
    expect(stdout.match(/ yes /g)?.length).toBeGreaterThanOrEqual(7)
    expect(stdout).toMatch(/third run +0 +yes/)
    const address = /(http:\S+)\/api\/v1\/reference/.exec(stdout)?.[1]
    expect((await fetch(`${address}/api/v1/ready`)).status).toBe(200)
    expect((await cli(where, ['demo', '--stop'])).code).toBe(0)
    await expect(fetch(`${address}/api/v1/ready`)).rejects.toThrow()
  } finally {
    await cli(where, ['demo', '--stop'])
  }
})
