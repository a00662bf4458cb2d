/**
 * Where tenants may not reach, whatever is allowed: addresses of this machine and of clouds, private networks
 * by webhook, the home of the service.
 */
import { createServer } from 'node:http'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { settingsFrom } from '../../src/core/setting-values.ts'
import { allowedAddress, egressPolicy } from '../../src/net/dial.ts'
import { deniedReason, isInAllowedNet, type EgressPolicy } from '../../src/net/egress.ts'
import { closedPaths, tenantPath } from '../../src/executions/tenant-paths.ts'
import { createDeliveries } from '../../src/control/loops/deliveries.ts'
import type { Work } from '../../src/executions/work.ts'
import { openFolder, testService } from '../support/service.ts'
import { runWork, workOf } from '../support/transfers.ts'

afterEach(() => void delete process.env.HEADRACE_ALLOW_HOSTS)

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'reached',
    (error: { code?: string }) => error.code,
  )

const INSIDE = [
  '168.63.129.16',
  '::ffff:168.63.129.16',
  '64:ff9b::a83f:8110',
  '2002:a83f:8110::',
  '169.254.0.1',
  'fe80::1',
  'febf::1',
  'fec0::1',
  'feff::1',
  '2001::1',
  '2001:0:4136:e378:8000:63bf:3fff:fdd2',
  '0.1.2.3',
  '224.0.0.1',
  '239.1.1.1',
  '255.255.255.255',
  'ff05::2',
  '64:ff9b:1::808:808',
  '64:ff9b:1:7f00:1::',
  '2002:a9fe:a9fe::1',
  '2002:7f00:1::',
  '::127.0.0.1',
]

test.each(INSIDE)('%s is reached by nobody', (address) => {
  expect(deniedReason(address)).toMatch(/^it is /)
})

const policyOf = (text: string): EgressPolicy => egressPolicy(settingsFrom({ HEADRACE_ALLOW_HOSTS: text }))

test.each([
  '10.1.2.3',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.0.1',
  '100.64.0.1',
  '100.127.255.255',
  '198.18.0.1',
  'fc00::1',
  'fd12::1',
  '::ffff:10.0.0.1',
  '64:ff9b::a00:1',
  '2002:c0a8:1::',
])('%s is for sources and not for webhooks, unless its network is allowed', async (address) => {
  expect(deniedReason(address)).toBeUndefined()
  expect(await codeOf(allowedAddress({ allow: [], publicOnly: true }, address, 80))).toBe('address_denied')
  expect(
    isInAllowedNet(
      policyOf('10.0.0.0/8, 172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,198.18.0.0/15,fc00::/7'),
      address,
    ),
  ).toBe(true)
  expect(isInAllowedNet(policyOf('10.0.0.0/33,11.0.0.0/8,fe00::/16,/8,10.0.0.0'), address)).toBe(false)
})

test.each(['172.32.0.1', '100.128.0.1', '11.0.0.1', '8.8.8.8', '2606:4700::1111', '2001:4860:4860::8888'])(
  '%s is the Internet',
  async (address) => {
    expect(await codeOf(allowedAddress({ allow: [], publicOnly: true }, address, 80))).toBe('reached')
  },
)

test('each address of this machine is this machine, by whichever interface, in any writing', async () => {
  const own = Object.values(networkInterfaces()).flatMap((found = []) => found)
  expect(own.length).toBeGreaterThan(0)
  const server = createServer((_, response) => response.end()).listen(0, '::')
  await new Promise((done) => server.once('listening', done))
  const { port } = server.address() as { port: number }
  for (const { address, family } of own) {
    const writings =
      family === 'IPv4'
        ? [address, `::ffff:${address}`]
        : [address.replace(/%.*/, ''), address.replace(/%.*/, '').toUpperCase()]
    for (const writing of writings)
      expect(await codeOf(allowedAddress({ allow: [] }, writing, port)), writing).toBe('address_denied')
    if (family === 'IPv4')
      expect(
        await codeOf(allowedAddress({ allow: [`${address.split('.')[0]}.0.0.0/8`] }, address, port)),
      ).toBe('reached')
  }
  server.close()
})

test('a webhook into a private network fails by name', async () => {
  const service = await testService()
  const tenant = await service.tenant('hooks')
  await service.call('POST', `/tenants/${tenant.id}/webhooks`, {
    token: tenant.owner,
    body: { url: 'http://10.255.255.1/x', events: ['*'] },
  })
  await service.call('POST', `/tenants/${tenant.id}/webhooks`, {
    token: tenant.owner,
    body: { url: 'http://168.63.129.16/x', events: ['*'] },
  })
  await createDeliveries(service.context, (error) => expect(error).toBeUndefined()).round()
  const { body } = await service.call<{ items: { last_error: string }[] }>(
    'GET',
    `/tenants/${tenant.id}/webhooks`,
    { token: tenant.viewer },
  )
  expect(body.items.map((webhook) => webhook.last_error)).toEqual([
    expect.stringContaining('it is in a private network'),
    expect.stringContaining('Azure'),
  ])
  await service.close()
})

/** A service's home with two tenants, and data of the operator's beside it, with a link into the home. */
function homeWithTenants(): { outer: string; home: string; own: string; other: string } {
  const outer = openFolder('headrace-closed-')
  const home = join(outer, 'home')
  const [own, other] = ['a', 'b'].map((id) => join(home, 'tenants', id))
  for (const folder of [own, other, join(outer, 'data')]) mkdirSync(folder, { recursive: true })
  const inHome = ['operator.token', 'secrets.csv', 'tenants/b/x.csv', 'tenants/a/x.csv']
  for (const path of [...inHome.map((name) => `home/${name}`), 'data/x.csv'])
    writeFileSync(join(outer, path), 'id\n1\n')
  symlinkSync(home, join(outer, 'data', 'link'))
  return { outer, home, own, other }
}

test("the home of the service is closed though everything is allowed, but for the tenant's own folder", async () => {
  const { outer, home, own, other } = homeWithTenants()
  const roots = {
    tenantFolder: own,
    allowed: ['/', outer, home],
    closed: closedPaths(home, [join(outer, 'key')]),
  }
  const codes = (paths: string[], below = false): Promise<unknown[]> =>
    Promise.all(paths.map((path) => codeOf(tenantPath(path, roots, below))))
  expect(
    new Set(
      await codes([
        home,
        `${home}/operator.token`,
        `${home}/../home/secrets.age`,
        other,
        `${outer}/data/link/secrets.csv`,
        '../b/x.csv',
        '../../operator.token',
        `${outer}/key`,
        '/var/lib/headrace/x',
      ]),
    ),
  ).toEqual(new Set(['permission_denied']))
  expect(await codes(['x.csv', own, `${own}/x.csv`, `${outer}/data/x.csv`, '/etc/hostname'])).toEqual(
    Array(5).fill('reached'),
  )
  // A folder that is watched is read with all that lies below it.
  expect(await codes([outer, '/', '.', `${outer}/data`], true)).toEqual([
    'permission_denied',
    'permission_denied',
    'reached',
    'reached',
  ])
  const read = (path: string): Promise<unknown> =>
    codeOf(
      runWork(
        workOf(outer, {
          tenantFolder: own,
          workFolder: join(outer, 'work'),
          allowedPaths: roots.allowed,
          closedPaths: roots.closed,
          source: { path, format: 'csv' },
        } satisfies Partial<Work>),
      ),
    )
  expect(
    await Promise.all(
      [`${outer}/**/*.csv`, `${home}/*.csv`, `${outer}/data/link/*.csv`, `${outer}/home/tenants/*/x.csv`].map(
        read,
      ),
    ),
  ).toEqual(Array(4).fill('permission_denied'))
  expect(await read(`${outer}/data/*.csv`)).toBe('reached')
})
