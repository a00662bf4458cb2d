/** Files into Parquet: each file once, by patterns, and no way out of the tenant's folder. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { fileTransfers } from '../support/file-transfers.ts'

const { home, tenant, file, transferOf } = fileTransfers()

test('each file once: the cursor knows them by size and time, and is not moved by a draft', async () => {
  file('once-1.csv', 'id,name,amount\n1,a,1\n')
  const first = await transferOf({ path: 'in/once-*.csv' })
  expect(first.receipt.rows).toBe(1)
  file('once-2.csv', 'id,name,amount\n2,b,2\n')
  const second = await transferOf({ path: 'in/once-*.csv' }, { cursor: first.cursor })
  expect(second.receipt.rows).toBe(1)
  expect((await transferOf({ path: 'in/once-*.csv' }, { cursor: second.cursor })).receipt).toMatchObject({
    rows: 0,
    output: [],
  })
  await expect(transferOf({ path: 'in/never-*.csv' })).rejects.toMatchObject({ code: 'path_not_found' })
  expect(
    (await transferOf({ path: 'in/once-*.csv' }, { cursor: second.cursor, draft: true })).cursor,
  ).toBeUndefined()
})

test('files that one pattern took stay taken while the job reads by another; what is gone is forgotten', async () => {
  for (const folder of ['one', 'two']) mkdirSync(join(tenant, 'in', folder))
  const [there, gone] = [
    file('one/there.csv', 'id,name,amount\n1,a,1\n'),
    file('one/gone.csv', 'id,name,amount\n2,b,2\n'),
  ]
  file('two/other.csv', 'id,name,amount\n3,c,3\n')
  const first = await transferOf({ path: 'in/one/*.csv' })
  const second = await transferOf({ path: 'in/two/*.csv' }, { cursor: first.cursor })
  expect(second.receipt.rows).toBe(1)
  rmSync(join(tenant, gone))
  const third = await transferOf({ path: 'in/*/*.csv' }, { cursor: second.cursor })
  expect(third.receipt).toMatchObject({ rows: 0, output: [] })
  const taken = Object.keys((third.cursor as { at: { taken: object } }).at.taken).map((name) =>
    basename(name),
  )
  expect([taken.toSorted(), basename(there)]).toEqual([['other.csv', 'there.csv'], 'there.csv'])
})

test("no path leads out of the tenant's folder: not by dots, links, absolute names, patterns or zero bytes, for reading or writing", async () => {
  writeFileSync(join(home, 'secret.csv'), 'id,name,amount\n1,secret,1\n')
  symlinkSync(home, join(tenant, 'in', 'link'))
  symlinkSync(join(home, 'secret.csv'), join(tenant, 'in', 'linked.csv'))
  for (const path of [
    '../secret.csv',
    '/etc/passwd',
    `${home}/secret.csv`,
    'in/../../secret.csv',
    'in/link/secret.csv',
    'in/linked.csv',
    '../*.csv',
    'in/link/*.csv',
    'in/linked*.csv',
    'in/{link,x}/secret.csv',
    'in/\0.csv',
    '/proc/self/environ',
    'in/..%2f..%2fsecret.csv',
  ])
    await expect(transferOf({ path }), path).rejects.toMatchObject({
      code: expect.stringMatching(/^(permission_denied|path_not_found)$/),
    })
  file('ok.csv', 'id,name,amount\n1,a,1\n')
  for (const path of ['../out', '/tmp/elsewhere', 'in/link/out'])
    await expect(
      transferOf({ path: 'in/ok.csv' }, { destination: { type: 'local', path } }),
      path,
    ).rejects.toMatchObject({ code: 'permission_denied' })
})
