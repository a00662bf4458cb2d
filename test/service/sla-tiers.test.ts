/** Tiers that the operator defines: jobs take over what they promise. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { JOB, testService, type TestService } from '../support/service.ts'

let service: TestService
let tenant: Awaited<ReturnType<TestService['tenant']>>
beforeAll(async () => {
  service = await testService()
  tenant = await service.tenant('acme')
})
afterAll(() => service.close())

interface Job {
  job_id: string
  sla_requirements: object
}
const setTiers = (tiers: object) => service.call('PUT', '/sla-tiers', { body: { tiers } })
const job = <T = Job>(method: string, path: string, body: unknown) =>
  service.call<T>(method, `/tenants/${tenant.id}/jobs${path}`, { token: tenant.editor, body })

test('a job takes over what its tier promises and it does not say itself; a tier that changes or goes changes no job that is there', async () => {
  expect(
    (
      await setTiers({
        gold: { priority: 'high', max_runtime_minutes: 30 },
        live: { max_freshness_seconds: 60 },
      })
    ).status,
  ).toBe(200)
  const { body: made } = await job('POST', '', {
    ...JOB,
    source_config: { ...JOB.source_config },
    sla_requirements: { tier: 'gold', max_runtime_minutes: 45 },
  })
  expect(made.sla_requirements).toEqual({ tier: 'gold', priority: 'high', max_runtime_minutes: 45 })
  await setTiers({ live: {} })
  expect((await job('PATCH', `/${made.job_id}`, { job_name: 'renamed' })).body.sla_requirements).toEqual({
    tier: 'gold',
    priority: 'high',
    max_runtime_minutes: 45,
  })
  expect(
    (await job('PATCH', `/${made.job_id}`, { sla_requirements: { priority: 'low' } })).body.sla_requirements,
  ).toEqual({ priority: 'low' })
})

test('a tier that is not there is refused by name, with those that are', async () => {
  await setTiers({ gold: { priority: 'high' }, silver: {} })
  for (const answer of [
    await job<{ code: string; detail: string }>('POST', '', {
      ...JOB,
      job_name: 'x',
      sla_requirements: { tier: 'platinum' },
    }),
    await service.call<{ code: string; detail: string }>('POST', `/tenants/${tenant.id}/quotes`, {
      token: tenant.editor,
      body: { ...JOB, sla_requirements: { tier: 'platinum' } },
    }),
  ]) {
    expect(answer).toMatchObject({
      status: 422,
      body: { code: 'tier_unknown', detail: 'There is no tier platinum. Known tiers: gold, silver.' },
    })
  }
  expect(
    (
      await job<{ code: string }>('POST', '', {
        ...JOB,
        job_name: 'y',
        sla_requirements: { tier: 'constructor' },
      })
    ).body.code,
  ).toBe('tier_unknown')
})

test('only an operator sets them; every tenant sees them', async () => {
  expect((await service.call('PUT', '/sla-tiers', { token: tenant.owner, body: { tiers: {} } })).status).toBe(
    403,
  )
  expect((await service.call('GET', '/sla-tiers', { token: tenant.viewer })).body).toEqual({
    tiers: { gold: { priority: 'high' }, silver: {} },
  })
  for (const tiers of [{ Gold: {} }, { gold: { priority: 'urgent' } }, { gold: { speed: 1 } }])
    expect((await setTiers(tiers)).status).toBe(400)
})
