/**
 * A search for secrets of a tenant in all that the service writes and shows, while jobs use them and fail.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { openSettingsFile } from '../../src/host/settings.ts'
import { dumpOf, openFolder, purchase } from '../support/service.ts'
import { until } from '../support/system.ts'
import { hostileWorld } from '../support/hostile-world.ts'

const { service, tenant, listener, logged, close } = await hostileWorld()
afterAll(close)
// Other tests of this process must not find the settings file of this one.
afterEach(() => openSettingsFile())

const canary = (i: number): string => `CaNaRy-${String(i).padStart(2, '0')}-x7Qz`

/** Sources that a secret logs in to, all of them at the listener. */
function sourcesAt(port: number): [string, object][] {
  const config = { host: '127.0.0.1', port, database: 'd', table: 't' }
  const declaration = readFileSync('datasets/books.yaml', 'utf8')
    .replace('localhost:9092', `127.0.0.1:${port}`)
    .replace(
      'start: earliest',
      'start: earliest\n    sasl: { mechanism: PLAIN, username: me, password_file: none }',
    )
  return [
    ['postgres', config],
    ['mysql', config],
    ['s3', { bucket: 'b', path: 'x.csv', format: 'csv', endpoint: `http://127.0.0.1:${port}` }],
    ['kafka', { declaration }],
  ]
}

/**
 * Keeps a secret of four canaries from the `i`th on, and runs a job that logs in with it; returns the
 * execution.
 */
async function runWithSecret(i: number, [type, source]: [string, object]): Promise<string> {
  const name = `secret-${i}`
  const value = {
    username: canary(i),
    password: canary(i + 1),
    access_key_id: canary(i + 2),
    secret_access_key: canary(i + 3),
  }
  const kept = await service.call('PUT', `/tenants/${tenant.id}/secrets/${name}`, {
    token: tenant.editor,
    body: { value },
  })
  expect(kept.status).toBe(204)
  return runJob(name, type, { ...source, credentials_secret: name })
}

/** Declares a job and runs it; returns the execution. */
async function runJob(name: string, type: string, source: object): Promise<string> {
  const job = await service.call<{ job_id: string }>('POST', `/tenants/${tenant.id}/jobs`, {
    token: tenant.editor,
    body: {
      job_name: name,
      source_type: type,
      source_config: source,
      destination_config: type === 'kafka' ? { type: 'zones' } : { type: 'local', path: 'out' },
      resource_requirements: { cpu_cores: 1, memory_gb: 1, estimated_runtime_minutes: 1 },
    },
  })
  const run = await service.call<{ execution_id: string }>(
    'POST',
    `/tenants/${tenant.id}/jobs/${job.body.job_id}/run`,
    { token: tenant.editor },
  )
  return run.body.execution_id
}

/** Looks at arguments and environments of all processes; returns those that hold a canary. */
function watchProcesses(): () => string[] {
  const seen: string[] = []
  const look = setInterval(
    () =>
      seen.push(
        ...readdirSync('/proc')
          .filter((name) => /^\d+$/.test(name))
          .flatMap((pid) =>
            ['cmdline', 'environ']
              .map((file) => textOf(`/proc/${pid}/${file}`))
              .filter((text) => text.includes('CaNaRy')),
          ),
      ),
    20,
  )
  return () => {
    clearInterval(look)
    return seen
  }
}

const firstEndOf = (id: string): Promise<unknown> =>
  until(
    `the first end of ${id}`,
    async () => {
      const { body } = await service.call<{ attempt: number; status: string }>(
        'GET',
        `/tenants/${tenant.id}/executions/${id}`,
        { token: tenant.viewer },
      )
      return body.attempt > 1 || !['scheduled', 'booked', 'running'].includes(body.status) ? true : undefined
    },
    60_000,
  )

/** All that the service answers to the tenant's owner and the operator. */
async function answers(ids: string[]): Promise<string[]> {
  const texts: string[] = []
  for (const path of [
    'jobs',
    'executions',
    'events?limit=500',
    'secrets',
    'webhooks',
    'ledger',
    ...ids.flatMap((id) => [`executions/${id}`, `executions/${id}/log`, `executions/${id}/why`]),
    'secrets/secret-0',
  ])
    texts.push(
      JSON.stringify(
        (await service.call('GET', `/tenants/${tenant.id}/${path}`, { token: tenant.owner })).body,
      ),
    )
  texts.push(
    String((await service.call('GET', '/metrics')).body),
    JSON.stringify((await service.call('GET', '/events?limit=500')).body),
  )
  return texts
}

test('40 secrets that are used and fail: in no answer, log, event, row, file, argument or environment', async () => {
  process.env.HEADRACE_ALLOW_HOSTS = '127.0.0.1'
  await service.call('POST', `/tenants/${tenant.id}/purchases`, {
    token: tenant.owner,
    body: purchase('vcpu_hours', 10),
  })
  const sources = sourcesAt(listener.port)
  const ids: string[] = []
  for (let i = 0; i < 40; i += 4) ids.push(await runWithSecret(i, sources[(i / 4) % sources.length]))
  const seenInProcesses = watchProcesses()
  for (const id of ids) await firstEndOf(id)
  expect(seenInProcesses()).toEqual([])
  const shown = [...(await answers(ids)), ...logged]
  expect(shown.filter((text) => text.includes('CaNaRy'))).toEqual([])
  expect(shown.join('').length).toBeGreaterThan(10_000)
  // The secrets were used: the listener was reached.
  expect(listener.connections).toBeGreaterThan(0)
  expect(await dumpOf(service.url)).not.toContain('CaNaRy')
  const files = spawnSync('grep', ['-rl', 'CaNaRy', service.context.home], { encoding: 'utf8' }).stdout.trim()
  expect(files).toBe('')
})

interface End {
  status: string
  reason: { code: string } | null
}

test('of a settings file, an execution gets hosts and paths that are allowed; its secrets reach no process, and no job reads it', async () => {
  const folder = openFolder('headrace-settings-')
  const path = join(folder, 'headrace.yaml')
  writeFileSync(
    path,
    `allow: { hosts: [127.0.0.1], paths: [${folder}] }\nsmtp_url: smtp://me:CaNaRy@mail.example.com\nmail_from: a@example.com\n`,
  )
  writeFileSync(join(folder, 'rows.csv'), 'id\n1\n')
  delete process.env.HEADRACE_ALLOW_HOSTS
  await openSettingsFile(path)
  const seenInProcesses = watchProcesses()
  const reached = listener.connections
  const csv = { format: 'csv' }
  const ids = [
    await runJob('reads-rows', 'files', { ...csv, path: join(folder, 'rows.csv') }),
    await runJob('reads-settings', 'files', { ...csv, path }),
    await runJob('reads-both', 'files', { ...csv, path: join(folder, '*.*') }),
    await runWithSecret(50, sourcesAt(listener.port)[0]),
  ]
  const ends = []
  for (const id of ids) {
    await firstEndOf(id)
    ends.push(await service.call<End>('GET', `/tenants/${tenant.id}/executions/${id}`))
  }
  expect(ends.slice(0, 3).map(({ body }) => body.reason?.code ?? body.status)).toEqual([
    'succeeded',
    'permission_denied',
    'permission_denied',
  ])
  expect(listener.connections).toBeGreaterThan(reached)
  expect(seenInProcesses()).toEqual([])
}, 120_000)

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
