/** Files into Parquet: columns by the names of the header, lines that do not fit counted and kept, each file once, and no way out of the tenant's folder. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Outcome, Work } from '../../src/main/service/work.ts'
import { openFolder } from '../support/service.ts'
import { rowsOf, runWork, workOf } from '../support/transfers.ts'

const home = openFolder('headrace-files-')
const tenant = join(home, 'tenant')
mkdirSync(join(tenant, 'in'), { recursive: true })
const COLUMNS = [{ name: 'id', type: 'BIGINT' }, { name: 'name', type: 'VARCHAR' }, { name: 'amount', type: 'DECIMAL(10, 2)' }]

function transferOf(source: Record<string, unknown>, more: Partial<Work> = {}): Promise<Outcome> {
  return runWork(workOf(home, { source: { format: 'csv', columns: COLUMNS, ...source }, tenantFolder: tenant, ...more }))
}

const file = (name: string, text: string | Buffer): string => (writeFileSync(join(tenant, 'in', name), text), `in/${name}`)

test('columns are matched by the names of the header, whatever their order; one that nobody declared is kept as text', async () => {
  const { receipt } = await transferOf({ path: file('order.csv', 'amount,id,extra,name\n1.50,7,x,seven\n') })
  expect(await rowsOf([receipt.output[0]])).toEqual([{ amount: '1.50', id: '7', extra: 'x', name: 'seven' }])
  await expect(transferOf({ path: file('lacks.csv', 'id,name\n1,a\n') })).rejects.toMatchObject({ code: 'source_not_found', message: expect.stringContaining('column amount') })
  file('two-a.csv', 'id,name,amount\n1,a,1\n')
  file('two-b.csv', 'name,id,amount\na,1,1\n')
  const two = await transferOf({ path: 'in/two-*.csv' })
  expect(await rowsOf([two.receipt.output[0]])).toEqual([{ id: '1', name: 'a', amount: '1.00' }, { id: '1', name: 'a', amount: '1.00' }])
})

test.each([
  ['wrong types', 'x,a,1\n2,b,oops\n3,c,3\n', 1, 2],
  ['too few and too many fields', '1,a\n2,b,2,more\n3,c,3\n', 1, 2],
  ['windows line ends and quotes with commas and line ends', '1,"a,b",1\r\n2,"c\r\nd",2\r\n', 2, 0],
  ['a byte order mark', '1,a,1\n', 1, 0],
  ['an empty last line and none at the end', '1,a,1\n2,b,2', 2, 0],
  ['overflow of a decimal', '1,a,99999999999.99\n2,b,1\n', 1, 1],
])('%s: what is accepted and what is rejected make up the input', async (name, body, accepted, rejected) => {
  const { receipt } = await transferOf({ path: file(`${name}.csv`, `${name === 'a byte order mark' ? '\uFEFF' : ''}id,name,amount${body.includes('\r') ? '\r' : ''}\n${body}`) })
  expect([receipt.rows, receipt.rejected]).toEqual([accepted, rejected])
  if (rejected === 0) return
  const lines = await rowsOf([receipt.output[1]], 'SELECT DISTINCT line, rule, original FROM T')
  expect(lines.every((line) => String(line.original).length > 0)).toBe(true)
})

test('bad UTF-8 is rejected by line, its neighbours are kept', async () => {
  const { receipt } = await transferOf({ path: file('utf8.csv', Buffer.concat([Buffer.from('id,name,amount\n1,a,1\n2,'), Buffer.from([0xff, 0xfe]), Buffer.from(',2\n3,c,3\n')])) })
  expect([receipt.rows, receipt.rejected]).toEqual([2, 1])
})

test('each file once: the cursor knows them by size and time, and is not moved by a draft', async () => {
  file('once-1.csv', 'id,name,amount\n1,a,1\n')
  const first = await transferOf({ path: 'in/once-*.csv' })
  expect(first.receipt.rows).toBe(1)
  file('once-2.csv', 'id,name,amount\n2,b,2\n')
  const second = await transferOf({ path: 'in/once-*.csv' }, { cursor: first.cursor })
  expect(second.receipt.rows).toBe(1)
  expect((await transferOf({ path: 'in/once-*.csv' }, { cursor: second.cursor })).receipt).toMatchObject({ rows: 0, output: [] })
  await expect(transferOf({ path: 'in/never-*.csv' })).rejects.toMatchObject({ code: 'path_not_found' })
  expect((await transferOf({ path: 'in/once-*.csv' }, { cursor: second.cursor, draft: true })).cursor).toBeUndefined()
})

test('JSON lines and Parquet are read too', async () => {
  const lines = await transferOf({ path: file('rows.ndjson', '{"id":1,"name":"a","amount":1.5}\n{"id":2,"name":null}\n'), format: 'ndjson' })
  expect(await rowsOf([lines.receipt.output[0]])).toEqual([{ id: '1', name: 'a', amount: '1.50' }, { id: '2', name: null, amount: null }])
  const again = await transferOf({ path: lines.receipt.output[0], format: 'parquet', columns: undefined })
  expect(again.receipt.rows).toBe(2)
})

test('no path leads out of the tenant\'s folder: not by dots, links, absolute names, patterns or zero bytes, for reading or writing', async () => {
  writeFileSync(join(home, 'secret.csv'), 'id,name,amount\n1,secret,1\n')
  symlinkSync(home, join(tenant, 'in', 'link'))
  symlinkSync(join(home, 'secret.csv'), join(tenant, 'in', 'linked.csv'))
  for (const path of ['../secret.csv', '/etc/passwd', `${home}/secret.csv`, 'in/../../secret.csv', 'in/link/secret.csv', 'in/linked.csv', '../*.csv', 'in/link/*.csv', 'in/linked*.csv', 'in/{link,x}/secret.csv', 'in/\0.csv', '/proc/self/environ', 'in/..%2f..%2fsecret.csv'])
    await expect(transferOf({ path }), path).rejects.toMatchObject({ code: expect.stringMatching(/^(permission_denied|path_not_found)$/) })
  file('ok.csv', 'id,name,amount\n1,a,1\n')
  for (const path of ['../out', '/tmp/elsewhere', 'in/link/out']) await expect(transferOf({ path: 'in/ok.csv' }, { destination: { type: 'local', path } }), path).rejects.toMatchObject({ code: 'permission_denied' })
})

test('NDJSON: lines that do not fit are kept with number, column and rule; the others arrive; all fitting takes the short way with the same rows', async () => {
  const columns = [{ name: 'id', type: 'BIGINT' }, { name: 'name', type: 'VARCHAR' }, { name: 'at', type: 'TIMESTAMP' }, { name: 'tags', type: 'VARCHAR[]' }]
  const good = ['{"id": 1, "name": "a", "at": "2026-01-01 00:00:00", "tags": ["x", "y"]}', '{"id": 2, "name": "b\\n\\u00e9,\\"q\\"", "more": 5}', '{"name": null}']
  const bad = ['{"id": "many"}', 'not json', '[1]', '{"id": 3, "at": "yesterday"}', '{"id": 4']
  const clean = await transferOf({ path: file('clean.ndjson', `${good.join('\n')}\n`), format: 'ndjson', columns })
  expect(clean.receipt).toMatchObject({ rows: 3, rejected: 0 })
  const mixed = await transferOf({ path: file('mixed.ndjson', `${good[0]}\n${bad[0]}\n${good[1]}\n${bad.slice(1).join('\n')}\n\n${good[2]}`), format: 'ndjson', columns })
  expect(mixed.receipt).toMatchObject({ rows: 3, rejected: 5 })
  expect(await rowsOf([mixed.receipt.output[0]])).toEqual(await rowsOf([clean.receipt.output[0]]))
  const rejects = await rowsOf([mixed.receipt.output[1]], 'SELECT line, column_name, original FROM T')
  expect(rejects.map((one) => [Number(one.line), one.column_name, one.original])).toEqual([[2, 'id', bad[0]], [4, null, bad[1]], [5, null, bad[2]], [6, 'at', bad[3]], [7, null, bad[4]]])
})
