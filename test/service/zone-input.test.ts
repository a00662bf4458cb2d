/**
 * What is fetched into a job's inbox is whole, whatever else is at it: of two attempts one may have slept.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { createStaging } from '../../src/lakehouse/stores/staging.ts'
import { createS3Store } from '../../src/lakehouse/stores/s3.ts'
import { fetchInto } from '../../src/executions/zone-input.ts'
import { openFolder } from '../support/service.ts'
import { startS3 } from '../support/storage.ts'
import { workOf } from '../support/transfers.ts'

const home = openFolder('headrace-attempts-')
const now = (): number => performance.now() / 1000
let source: Record<string, unknown>
let keys: Record<string, string>

beforeAll(async () => {
  const { env } = await startS3()
  const [endpoint, id, secret] = [env.AWS_ENDPOINT_URL, env.AWS_ACCESS_KEY_ID, env.AWS_SECRET_ACCESS_KEY]
  keys = { access_key_id: id, secret_access_key: secret }
  source = { bucket: 'lake', endpoint }
  process.env.HEADRACE_ALLOW_HOSTS = `127.0.0.1:${new URL(endpoint).port}`
})

async function put(name: string, bytes: Buffer): Promise<void> {
  const credentials = { accessKeyId: keys.access_key_id, secretAccessKey: keys.secret_access_key }
  const place = {
    bucket: 'lake',
    prefix: '',
    endpoint: String(source.endpoint),
    region: 'us-east-1',
    credentials,
  }
  await createS3Store(place, createStaging(join(home, 'put'), Date.now)).write(name, bytes)
}

test('of two attempts that fetch at once one comes into the inbox, whole', async () => {
  const sizes = [1 << 10, 16 << 20, 1 << 10, 1 << 10]
  for (const [i, size] of sizes.entries()) await put(`two/${i}.csv`, Buffer.alloc(size, 0x30 + i))
  for (let round = 0; round < 5; round += 1) {
    const inbox = join(home, `inbox-${round}`)
    const more = { sourceType: 's3', sourceSecret: keys, destination: { type: 'zones' } }
    const work = workOf(home, { ...more, source: { ...source, path: 'two/*.csv', format: 'csv' } })
    const again = { ...work, workFolder: `${work.workFolder}-2` }
    let second: Promise<unknown> | undefined
    let copied = 0
    const quiet = { progress: () => undefined, now }
    // The first was taken for dead in the middle, and goes on beside the one that took its place.
    const progress = (): void => {
      copied += 1
      if (copied === 1 + (round % 3)) second = fetchInto(inbox, again, quiet)
    }
    await fetchInto(inbox, work, { progress, now }).catch(() => undefined)
    await second?.catch(() => undefined)
    const known = await fetchInto(inbox, { ...work, workFolder: `${work.workFolder}-3` }, quiet)
    expect(known.bytes).toBe(sizes.reduce((sum, size) => sum + size))
    const files = readdirSync(join(inbox, work.executionId))
      .filter((name) => name.endsWith('.csv'))
      .toSorted()
    expect(files.map((name) => statSync(join(inbox, work.executionId, name)).size)).toEqual(sizes)
  }
})

test('a name that leaves no room for ours is fetched all the same', async () => {
  const names = [`${'a'.repeat(250)}.csv`, `${'b'.repeat(250)}.csv`, `${'ß'.repeat(125)}.csv`]
  for (const name of names) await put(`long/${name}`, Buffer.from(name))
  const inbox = join(home, 'inbox-long')
  const more = { sourceType: 's3', sourceSecret: keys, destination: { type: 'zones' } }
  const work = workOf(home, { ...more, source: { ...source, path: 'long/*.csv', format: 'csv' } })
  await fetchInto(inbox, work, { progress: () => undefined, now })
  const arrived = readdirSync(join(inbox, work.executionId)).filter((name) => name.endsWith('.csv'))
  expect(arrived).toHaveLength(3)
})
