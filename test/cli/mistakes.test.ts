/**
 * Ten typical mistakes: each gives an error that names what, and says what to do next. Exit codes: 0 done, 1
 * failed, 2 usage.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { Broker } from '../../src/host/kafka-broker.ts'
import { broker, cli, killGroup, place, produce, startCli, until } from '../support/system.ts'

let kafka: Broker

beforeAll(async () => {
  kafka = await broker()
})

async function refused(
  args: string[],
  where = place(kafka.address),
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  const { code, stderr } = await cli(where, args, env)
  expect(stderr).toMatch(/^Error: /m)
  expect(stderr).toMatch(/^Try: /m)
  return `${code} ${stderr}`
}

test('wrong path', async () => {
  expect(await refused(['stream', 'nowhere.yaml'])).toMatch(
    /^2 Error: There is no dataset declaration at nowhere\.yaml[\s\S]*books/,
  )
})

test('wrong type and bad YAML', async () => {
  const typo = place(kafka.address, (yaml) => yaml.replace('type: uuid', 'type: uid'))
  expect(await refused(['stream', typo.declaration], typo)).toMatch(
    /^1 Error: .* has 1 mistake[\s\S]*Did you mean uuid\?/,
  )
  const bad = place(kafka.address, () => 'dataset: [\n')
  expect(await refused(['batch', bad.declaration], bad)).toMatch(/has 1 mistake/)
})

test('missing broker', async () => {
  const where = place('127.0.0.1:1')
  expect(await refused(['stream', where.declaration], where)).toMatch(
    /^1 Error: No Kafka broker answers at 127\.0\.0\.1:1/,
  )
})

test('wrong topic', async () => {
  const known = place(kafka.address)
  await produce(known, 10)
  const where = place(kafka.address, (yaml) => yaml.replace(/ {4}topic: .*/, `    topic: ${known.topic}x`))
  expect(await refused(['stream', where.declaration], where)).toContain(
    `has no topic ${known.topic}x. Similar: ${known.topic}`,
  )
})

test('port in use', async () => {
  const where = place(kafka.address)
  await produce(where, 10)
  const server = createServer().listen(19_465, '127.0.0.1')
  expect(await refused(['stream', where.declaration, '--metrics-port', '19465'], where)).toMatch(
    /Port 19465 is in use[\s\S]*--metrics-port/,
  )
  server.close()
})

test('old table: a Delta feature we do not know, and a table that is none', async () => {
  const where = place(kafka.address)
  mkdirSync(join(where.raw, '_delta_log'), { recursive: true })
  writeFileSync(
    join(where.raw, '_delta_log/00000000000000000000.json'),
    '{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"]}}\n',
  )
  expect(await refused(['tables', 'show', 'books/raw'], where)).toMatch(
    /needs a Delta feature.*deletionVectors/,
  )
  expect(await refused(['tables', 'show', 'nothing'])).toMatch(/There is no table at nothing/)
})

test('two writers', async () => {
  const where = place(kafka.address)
  await produce(where, 10)
  const first = startCli(where, ['stream', where.declaration])
  await until('the first writer', async () =>
    (await cli(where, ['tables', 'show', 'books/raw'])).code === 0 ? true : undefined,
  )
  expect(await refused(['stream', where.declaration], where)).toMatch(
    /Another process \(pid \d+ since .*\) already runs stream books/,
  )
  killGroup(first)
})

test('full disk: the job says so, waits, and goes on when there is room', async () => {
  const where = place(kafka.address)
  const disk = join(where.home, 'tables')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=300k', 'tmpfs', disk])
  try {
    await produce(where, 5_000)
    const job = startCli(where, ['stream', where.declaration, '--until-caught-up'])
    await until(
      'the full disk said',
      () => (job.errors().includes('No space left') ? true : undefined),
      30_000,
    )
    execFileSync('mount', ['-o', 'remount,size=100m', disk])
    expect(await job.ended).toBe(0)
  } finally {
    execFileSync('umount', ['-l', disk])
  }
})

test('no permission', async () => {
  // As root every permission is granted; an unprivileged user meets the refusal.
  const where = place(kafka.address)
  const locked = join(where.home, 'locked')
  mkdirSync(locked)
  chmodSync(locked, 0o555)
  chmodSync(where.home, 0o755)
  const entry = join(process.cwd(), 'src/main/cli.ts')
  const args = [
    'produce',
    where.declaration,
    '--to',
    'files',
    '--folder',
    join(locked, 'in'),
    '--journal',
    join(locked, 'in', 'j.tsv'),
    '--count',
    '1',
  ]
  const run = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', entry, ...args], {
    env: { ...where.env, HEADRACE_HOME: join(locked, 'home') },
    uid: 65_534,
    gid: 65_534,
    encoding: 'utf8',
  })
  expect([run.status, run.stderr]).toEqual([
    1,
    expect.stringMatching(/Error: No permission to .*locked[\s\S]*Try: /),
  ])
  where.cleanUp()
})

test('usage: unknown verbs, options and values end with 2 and say what there is', async () => {
  const where = place(kafka.address)
  for (const args of [
    ['strem'],
    ['stream'],
    ['produce', '--count', 'many'],
    ['batch', 'books', '--memory', 'lots'],
  ]) {
    const { code, stderr } = await cli(where, args)
    expect([args, code, stderr]).toEqual([args, 2, expect.stringMatching(/error:/)])
  }
  expect((await cli(where, ['--help'])).code).toBe(0)
})
