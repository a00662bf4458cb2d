/**
 * Floods of requests without a valid token: refused before anything is looked up, and nobody else is held up
 * for long.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { FastifyInstance } from 'fastify'
import { createApi } from '../../src/api/server.ts'
import { createStrangers } from '../../src/api/strangers.ts'
import { openService, type OpenService } from '../../src/control/open.ts'
import { createToken } from '../../src/state/tenants.ts'
import { freshDatabase, openFolder } from '../support/service.ts'

let opened: OpenService
let api: FastifyInstance
let lookUps = 0
const tokens: string[] = []

beforeAll(async () => {
  opened = await openService({
    databaseUrl: await freshDatabase(),
    home: openFolder('headrace-strangers-'),
    version: 'test',
  })
  const service = {
    ...opened.service,
    principal: async (token: string) => ((lookUps += 1), opened.service.principal(token)),
  }
  api = await createApi({ service, rehearsal: opened.rehearsal, log: () => undefined })
  for (const name of ['known', 'new', 'far'])
    tokens.push(
      (
        await opened.context.gate.transact((tx) =>
          createToken(tx, { tenantId: undefined, name, role: 'operator', actor: 'test' }),
        )
      ).token,
    )
})

afterAll(async () => {
  await api.close()
  await opened.close()
})

const ask = async (
  from: string,
  authorization?: string,
): Promise<{ status: number; retry: number; code: string }> => {
  const answer = await api.inject({
    url: '/api/v1/me',
    remoteAddress: from,
    headers: authorization === undefined ? {} : { authorization },
  })
  return {
    status: answer.statusCode,
    retry: Number(answer.headers['retry-after'] ?? 0),
    code: String(answer.json<{ code?: string }>().code),
  }
}

test('3,000 wrong tokens, signatures and requests without one: 429 with Retry-After, few look-ups, and others get in', async () => {
  const [known, anew, far] = tokens.map((token) => `Bearer ${token}`)
  expect((await ask('10.0.0.1', known)).status).toBe(200)
  const wrong = [
    (i: number) => `Bearer hr_${i}`,
    (i: number) => `Bearer a.b${i}.c`,
    () => undefined,
    () => 'Basic x',
  ]
  const before = lookUps
  const answers = await Promise.all(
    Array.from({ length: 3_000 }, (_, i) => ask('10.0.0.1', wrong[i % wrong.length](i))),
  )
  const refused = answers.filter((answer) => answer.status === 429)
  expect(answers.every(({ status }) => status === 401 || status === 429)).toBe(true)
  expect(refused.length).toBeGreaterThan(2_500)
  expect(refused.every(({ retry, code }) => retry >= 1 && code === 'too_many_tries')).toBe(true)
  expect(lookUps - before).toBeLessThan(500)
  // Behind the same address: who was here before goes on at once, who is new within a few tries.
  expect((await ask('10.0.0.1', known)).status).toBe(200)
  let entered = 0
  for (let i = 0; i < 40 && entered !== 200; i += 1) {
    entered = (await ask('10.0.0.1', anew)).status
    if (entered !== 200) await new Promise((done) => setTimeout(done, 100))
  }
  expect(entered).toBe(200)
  expect((await ask('10.0.0.2', far)).status).toBe(200)
})

test('an IPv6 network is one address, and a mapped one the IPv4 that it is', () => {
  const strangers = createStrangers(
    { tries: 1, perSecond: 1, addresses: 3, knownTokens: 1, knownMs: 1_000 },
    () => 0,
  )
  const enters = (address: string): boolean => {
    try {
      return strangers.enter(address, undefined) !== undefined
    } catch {
      return false
    }
  }
  expect(
    ['2001:db8::1', '2001:db8:0:0:1:2:3:4', '2001:db8:0:1::1', '::ffff:10.0.0.1', '10.0.0.1'].map(enters),
  ).toEqual([true, false, true, true, false])
  // However many come, so many are remembered.
  for (let i = 0; i < 10; i += 1) enters(`10.1.0.${i}`)
  expect(enters('10.0.0.1')).toBe(true)
})
