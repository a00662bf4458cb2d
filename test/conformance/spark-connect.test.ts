/**
 * Our Spark Connect client against a real server: the protocol, values, cut connections, restarts, tokens,
 * errors by name.
 */
import { mkdtempSync } from 'node:fs'
import { constants, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadSync } from '@grpc/proto-loader'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { HeadraceError } from '../../src/core/errors.ts'
import { openSparkSession, type SparkSession } from '../../src/engines/spark/session.ts'
import { freePort } from '../../src/host/jvm-servers.ts'
import { startSparkServer, type SparkServer } from '../../src/host/spark-server.ts'
import { java } from '../support/java.ts'
import { openLink } from '../support/link.ts'
import { limitMs } from '../support/time-limits.ts'

let server: SparkServer
let session: SparkSession
const folder = mkdtempSync(join(tmpdir(), 'headrace-spark-'))

const open = (more: Partial<Parameters<typeof openSparkSession>[0]> = {}): SparkSession =>
  openSparkSession({ address: server.address, tls: false, token: server.token, retryMs: 10_000, ...more })

beforeAll(async () => {
  server = await startSparkServer({ folder, master: 'local[2]', memory: '1500m' })
  session = open()
}, limitMs(180_000))

afterAll(async () => {
  await session.close()
  await server.kill()
})

interface Described {
  type: {
    field?: { name: string; number: number; type: string; typeName: string; label: string }[]
    name: string
    options?: { mapEntry?: boolean }
    nestedType?: Described['type'][]
    value?: { name: string; number: number }[]
    enumType?: { name: string; value: { name: string; number: number }[] }[]
  }
}

/** Our part of the protocol in the lines that ConnectDescriptors.java prints of the server's. */
function ourProtocol(): string[] {
  const lines: string[] = []
  const message = (type: Described['type'], name: string): void => {
    for (const field of type.field ?? []) {
      const plain = field.type.replace('TYPE_', '').toLowerCase()
      const entry = type.nestedType?.some(
        (nested) => nested.name === field.typeName && nested.options?.mapEntry,
      )
      const typeName = entry ? `${name}.${camel(field.name)}Entry` : resolve(field.typeName, name)
      const named = field.typeName === '' ? plain : typeName
      lines.push(`field ${name} ${field.name} ${field.number} ${named} ${field.label === 'LABEL_REPEATED'}`)
    }
    for (const each of type.enumType ?? [])
      for (const value of each.value) lines.push(`value ${name}.${each.name} ${value.name} ${value.number}`)
    for (const nested of type.nestedType ?? [])
      if (!nested.options?.mapEntry) message(nested, `${name}.${nested.name}`)
  }
  const definitions = loadSync('src/engines/spark/connect.proto', {
    keepCase: true,
    longs: Number,
    enums: String,
  }) as unknown as Record<string, Described>
  const namesIn = (type: Described['type'], name: string): string[] => [
    name,
    ...(type.enumType ?? []).map((enumeration) => `${name}.${enumeration.name}`),
    ...(type.nestedType ?? []).flatMap((nested) => namesIn(nested, `${name}.${nested.name}`)),
  ]
  const known = Object.entries(definitions).flatMap(([name, definition]) =>
    definition.type?.name === undefined ? [] : namesIn(definition.type, name),
  )
  const camel = (text: string): string =>
    text
      .split('_')
      .map((word) => word[0].toUpperCase() + word.slice(1))
      .join('')
  /** As protoc does: the innermost scope that knows the name. */
  const resolve = (type: string, inside: string): string => {
    for (let scope = inside; scope !== ''; scope = scope.slice(0, Math.max(0, scope.lastIndexOf('.'))))
      if (known.includes(`${scope}.${type}`)) return `${scope}.${type}`
    return type
  }
  for (const [name, definition] of Object.entries(definitions))
    if (definition.type?.field !== undefined && name.split('.').length === 3) message(definition.type, name)
  return lines
}

test("every field of our part of the protocol is the server's, by name, number and type", async () => {
  const theirs = new Set((await java('spark', 'ConnectDescriptors', [])).split('\n'))
  const ours = ourProtocol()
  expect(ours.length).toBeGreaterThan(90)
  expect(ours.filter((line) => !theirs.has(line))).toEqual([])
})

test('values of every type come back as plain values', async () => {
  const [row] =
    await session.sql(`SELECT 1 AS i, 9007199254740993L AS l, 1.5D AS d, true AS b, 'ä𝄞' AS s, CAST(-12.340 AS DECIMAL(10,3)) AS dec, CAST(12345678901234567890123456789.123456789 AS DECIMAL(38,9)) AS wide,
    DATE'2026-11-21' AS day, TIMESTAMP'2026-11-21 08:00:00.123456Z' AS ts, array(1, NULL, 3) AS a, named_struct('x', 1, 'y', array('p')) AS st, CAST(NULL AS STRING) AS n, X'00FF' AS bin`)
  expect(row).toMatchObject({
    i: 1,
    l: 9007199254740993n,
    d: 1.5,
    b: true,
    s: 'ä𝄞',
    dec: '-12.340',
    wide: '12345678901234567890123456789.123456789',
    a: [1, null, 3],
    st: { x: 1, y: ['p'] },
    n: null,
  })
  expect([
    new Date(Number(row.day)).toISOString().slice(0, 10),
    new Date(Number(row.ts)).toISOString(),
  ]).toEqual(['2026-11-21', '2026-11-21T08:00:00.123Z'])
  expect([...(row.bin as Uint8Array)]).toEqual([0, 255])
})

test('statements work: tables, merges, empty results', async () => {
  const path = join(folder, 'merge')
  await session.sql(`CREATE TABLE delta.\`${path}\` (id BIGINT, v STRING) USING delta`)
  await session.sql(`INSERT INTO delta.\`${path}\` VALUES (1, 'a'), (2, 'b')`)
  await session.sql(
    `MERGE INTO delta.\`${path}\` t USING (SELECT 2L AS id, 'B' AS v UNION ALL SELECT 3L, 'c') s ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *`,
  )
  expect(await session.sql(`SELECT * FROM delta.\`${path}\` ORDER BY id`)).toEqual([
    { id: 1n, v: 'a' },
    { id: 2n, v: 'B' },
    { id: 3n, v: 'c' },
  ])
  expect(await session.sql(`SELECT * FROM delta.\`${path}\` WHERE id > 9`)).toEqual([])
})

test('a connection that is cut again and again in mid-result loses and doubles no row', async () => {
  const link = await openLink(() => Number(server.address.split(':')[1]))
  link.limit(4_000_000)
  const through = open({ address: `127.0.0.1:${link.port}` })
  await through.version()
  const cuts = setInterval(link.cut, 1_200)
  const rows = await through.rows(
    { sql: { query: "SELECT id, repeat('x', 40) AS pad FROM range(0, 150000, 1, 8)" } },
    { action: 'count' },
  )
  clearInterval(cuts)
  expect([rows.length, new Set(rows.map((row) => row.id)).size]).toEqual([150_000, 150_000])
  await through.close()
  await link.close()
})

test('a write whose connection is cut is committed once', async () => {
  const path = join(folder, 'once')
  const link = await openLink(() => Number(server.address.split(':')[1]))
  const through = open({ address: `127.0.0.1:${link.port}` })
  await through.version()
  const cuts = setInterval(link.cut, 150)
  await through.run(
    {
      write_operation: {
        input: { sql: { query: 'SELECT id FROM range(0, 2000000, 1, 4)' } },
        source: 'delta',
        path,
        mode: 'SAVE_MODE_APPEND',
      },
    },
    { action: 'write' },
  )
  clearInterval(cuts)
  expect(await session.sql(`SELECT count(*) AS n, count(DISTINCT id) AS d FROM delta.\`${path}\``)).toEqual([
    { n: 2_000_000n, d: 2_000_000n },
  ])
  expect(await session.sql(`DESCRIBE HISTORY delta.\`${path}\``)).toHaveLength(1)
  await through.close()
  await link.close()
})

test('progress is told, and an abort stops the work by name', async () => {
  const stages: number[] = []
  const stop = new AbortController()
  const slow = session.rows(
    { sql: { query: 'SELECT count(*) FROM range(0, 4000000000, 1, 64) WHERE hash(id) % 7 = 3' } },
    { action: 'count slowly', signal: stop.signal, onProgress: (all) => stages.push(all.length) },
  )
  setTimeout(() => stop.abort(), 4_000)
  await expect(slow).rejects.toMatchObject({ code: 'spark_interrupted' })
  expect(stages.length).toBeGreaterThan(0)
  expect(await session.sql('SELECT 1 AS one')).toEqual([{ one: 1 }])
})

test('operations that are told to stop while they start end too, though the server may never say so', async () => {
  const stopped = async (afterMs: number): Promise<string> => {
    const stop = new AbortController()
    setTimeout(() => stop.abort(), afterMs)
    return session
      .sql('SELECT count(*) FROM range(0, 4000000000, 1, 64) WHERE hash(id) % 7 = 3', {
        action: 'count slowly',
        signal: stop.signal,
      })
      .then(
        () => 'counted',
        (error: HeadraceError) => error.code,
      )
  }
  // One after the other, as a hot server starts each within some 30 ms: until one was met that the server
  // leaves hanging, which takes the 3 s.
  for (let i = 0, longestMs = 0; i < 60 && longestMs < 2_500; i += 1) {
    const begun = Date.now()
    expect(await stopped(10 + (i % 10) * 3)).toBe('spark_interrupted')
    longestMs = Math.max(longestMs, Date.now() - begun)
  }
  expect(await session.sql('SELECT 1 AS one')).toEqual([{ one: 1 }])
})

test('a mistake in SQL, a failing row and a missing table say what and where', async () => {
  await expect(session.sql('SELEC 1')).rejects.toMatchObject({
    code: 'spark_failed',
    message: expect.stringMatching(/PARSE_SYNTAX_ERROR|SELEC/),
  })
  await expect(session.sql('SELECT * FROM nowhere')).rejects.toMatchObject({
    code: 'spark_failed',
    message: expect.stringContaining('nowhere'),
  })
  await expect(session.sql("SELECT CAST('x' AS INT) FROM range(3)")).rejects.toMatchObject({
    code: 'spark_failed',
    message: expect.stringMatching(/CAST_INVALID_INPUT|cannot be cast/),
  })
})

test.each([
  ['wrong', 'Invalid'],
  [undefined, 'No'],
])('token %s is refused by name', async (token, reason) => {
  const other = open({ token })
  await expect(other.version()).rejects.toMatchObject({
    code: 'spark_auth_failed',
    message: expect.stringContaining(reason),
  })
  await other.close()
})

test('a server that ends the connection because it was asked too often is a lost connection, not a failure of Spark', async () => {
  let calls = 0
  const busy = createServer().on('stream', (stream) => {
    calls += 1
    stream.on('error', () => undefined)
    stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM)
  })
  await new Promise<void>((done) => busy.listen(0, '127.0.0.1', done))
  const refused = open({ address: `127.0.0.1:${(busy.address() as AddressInfo).port}`, retryMs: 400 })
  await expect(refused.sql('SELECT 1')).rejects.toMatchObject({ code: 'spark_unreachable' })
  expect(calls).toBeGreaterThan(2)
  await refused.close()
  busy.close()
})

test('nobody at the address, a killed server and a restarted one are three named states', async () => {
  const nobody = open({ address: `127.0.0.1:${await freePort()}`, retryMs: 300 })
  await expect(nobody.version()).rejects.toMatchObject({ code: 'spark_unreachable' })
  await nobody.close()
  const port = await freePort()
  const settings = {
    folder: mkdtempSync(join(tmpdir(), 'headrace-spark-')),
    master: 'local[1]',
    memory: '1g',
    port,
    token: 'secret',
  }
  let own = await startSparkServer(settings)
  const hurried = openSparkSession({ address: own.address, tls: false, token: 'secret', retryMs: 500 })
  const patient = openSparkSession({ address: own.address, tls: false, token: 'secret', retryMs: 60_000 })
  expect(await patient.sql('SELECT 1 AS one')).toEqual([{ one: 1 }])
  await hurried.version()
  const running = hurried.rows(
    { sql: { query: 'SELECT count(*) FROM range(0, 4000000000, 1, 16) WHERE hash(id) % 7 = 3' } },
    { action: 'count' },
  )
  const lost = expect(running).rejects.toMatchObject({ code: 'spark_unreachable' })
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  await own.kill()
  await lost
  own = await startSparkServer(settings)
  await expect(patient.sql('SELECT 1')).rejects.toMatchObject({ code: 'spark_session_lost' })
  await Promise.all([hurried.close(), patient.close()])
  await own.kill()
})
