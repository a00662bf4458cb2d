/**
 * The life of a job by the CLI against a service as a user runs it: each verb says what it did, and what a
 * wrong one says.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { inHome, startServing, type Serving } from '../support/serving.ts'
import { openFolder } from '../support/service.ts'
import { cli, cliJson, killGroup, until } from '../support/system.ts'

const home = openFolder('headrace-verbs-')
let serving: Serving

beforeAll(async () => {
  serving = await startServing(home)
  await cliJson(inHome(home), [
    'login',
    serving.address.replace('/api/v1', ''),
    '--token-file',
    join(home, 'operator.token'),
  ])
})
afterAll(async () => {
  killGroup(serving, 'SIGTERM')
  expect(await serving.ended).toBe(0)
})

const say = <T = Record<string, unknown>>(...args: string[]): Promise<T> => cliJson<T>(inHome(home), args)
const refused = async (...args: string[]): Promise<string[]> => {
  const { code, stderr } = await cli(inHome(home), args)
  expect(code, stderr).toBe(1)
  return stderr.trim().split('\n')
}

test('draft, evaluate, promote, run, pause, resume, demote, delete', async () => {
  const { tenant_id: tenant } = await say<{ tenant_id: string }>('tenants', 'add', 'acme')
  const of = ['--tenant', 'acme']
  mkdirSync(join(home, 'tenants', tenant, 'in'), { recursive: true })
  copyFileSync('docs/examples/orders.csv', join(home, 'tenants', tenant, 'in', 'orders.csv'))
  const file = join(home, 'job.json')
  writeFileSync(file, readFileSync('docs/examples/orders-job.json', 'utf8').replace('FOLDER', 'in'))
  expect(await say('jobs', 'create', '-f', file, ...of)).toMatchObject({
    job_name: 'orders',
    status: 'draft',
  })
  expect((await refused('promote', 'orders', ...of))[0]).toContain('no finished draft run')
  const ran = async (): Promise<{ status: string }> => {
    const { execution_id: id } = await say<{ execution_id: string }>('jobs', 'run', 'orders', ...of)
    return until('the execution to end', async () => {
      const shown = await say<{ status: string }>('executions', 'show', id, ...of)
      return ['succeeded', 'failed', 'cancelled'].includes(shown.status) ? shown : undefined
    })
  }
  expect(await ran()).toMatchObject({ status: 'succeeded', namespace: 'draft-ingestion-ns' })
  await say('purchases', 'add', '--type', 'vcpu_hours', '--quantity', '10', ...of)
  expect(await say('jobs', 'evaluate', 'orders', ...of)).toMatchObject({
    promotion_eligible: true,
    recommended_namespace: 'vcpu-hours-ns',
  })
  expect(await say('promote', 'orders', ...of)).toMatchObject({
    status: 'promoted',
    namespace: 'vcpu-hours-ns',
  })
  expect(await ran()).toMatchObject({ status: 'succeeded', namespace: 'vcpu-hours-ns' })
  expect(await say('jobs', 'pause', 'orders', ...of)).toMatchObject({ status: 'paused' })
  expect((await refused('jobs', 'run', 'orders', ...of))[0]).toContain('paused')
  expect(await say('jobs', 'resume', 'orders', ...of)).toMatchObject({
    status: 'active',
    next_run_at: expect.stringMatching(/T02:00:00/),
  })
  expect(await say('demote', 'orders', ...of)).toMatchObject({
    status: 'demoted',
    namespace: 'draft-ingestion-ns',
  })
  expect(await say('jobs', 'show', 'orders', ...of)).toMatchObject({ status: 'draft', next_run_at: null })
  expect(await say('jobs', 'delete', 'orders', ...of)).toEqual({ deleted: true })
  expect(await refused('why', 'orders', ...of)).toEqual([
    'Error: There is no job orders.',
    'Try: List what exists: headrace jobs list',
  ])
})

test('prices that are set hold for what is bought afterwards; a dry run sets none', async () => {
  const list = await say<{ vcpu_hours: Record<string, number> }>('prices', 'show')
  const file = join(home, 'prices.json')
  writeFileSync(file, JSON.stringify({ ...list, vcpu_hours: { ...list.vcpu_hours, monthly: 11 } }))
  await say('tenants', 'add', 'buyer')
  const cents = async (): Promise<number> =>
    (
      await say<{ price: { list_cents: number } }>(
        'purchases',
        'add',
        '--type',
        'vcpu_hours',
        '--quantity',
        '10',
        '--tenant',
        'buyer',
      )
    ).price.list_cents
  await say('prices', 'set', '-f', file, '--dry-run')
  expect(await cents()).toBe(70)
  await say('prices', 'set', '-f', file)
  expect(await cents()).toBe(110)
})
