/** The page on trouble: each command runs as written, on a dataset and a job that are there. */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ERRORS } from '../../src/core/errors.ts'
import { commandsOf } from '../support/markdown.ts'
import { openFolder } from '../support/service.ts'
import { inHome, startServing, type Serving } from '../support/serving.ts'
import { broker, cliJson, killGroup } from '../support/system.ts'

const PAGE = 'docs/troubleshooting.md'
const home = openFolder('headrace-trouble-')
const where = inHome(home)
let serving: Serving

const say = (...args: string[]): Promise<Record<string, unknown>> => cliJson(where, args)

beforeAll(async () => {
  const kafka = await broker()
  Object.assign(where.env, { HEADRACE_BROKERS: kafka.address })
  await say('produce', 'books', '--count', '300')
  await say('stream', 'books', '--until-caught-up')
  const examples = resolve('docs/examples')
  serving = await startServing(home, undefined, { HEADRACE_ALLOW_PATHS: examples })
  const token = join(home, 'operator.token')
  await say('login', serving.address.replace('/api/v1', ''), '--token-file', token)
  await say('tenants', 'add', 'acme')
  await say('purchases', 'add', '--type', 'vcpu_hours', '--quantity', '10')
  const job = join(home, 'job.json')
  writeFileSync(job, readFileSync('docs/examples/orders-job.json', 'utf8').replace('FOLDER', examples))
  await say('jobs', 'create', '-f', job)
  await say('jobs', 'run', 'orders', '--wait')
}, 180_000)

afterAll(async () => {
  killGroup(serving, 'SIGTERM')
  await serving.ended
})

test('every command works as written, in order', async () => {
  const answers = new Map<string, string>()
  for (const command of new Set(commandsOf(PAGE))) {
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', command], { env: where.env })
    answers.set(command, stdout + stderr)
  }
  const answerTo = (part: string): string =>
    [...answers].find(([command]) => command.includes(part))?.[1] ?? `no command has ${part}`
  expect(answerTo('offsets show')).toContain('lagSeconds')
  expect(answerTo('GROUP BY ALL')).toMatch(/accepted[\s\S]*quarantined +\w/)
  expect(answerTo('batch books --dry-run')).toMatch(/rowsRead +[1-9]/)
  expect(answerTo('replay books --dry-run')).toMatch(/quarantined +\d+/)
  expect(answerTo('why orders')).toContain('succeeded')
  expect(answerTo('executions log')).toContain('draft execution')
  expect(answerTo('jobs create')).toContain('nothing was changed')
  expect(answerTo('jobs evaluate')).toMatch(/promotion_eligible +true/)
}, 180_000)

test('every code of the page is one that there is', () => {
  const rows = readFileSync(PAGE, 'utf8').match(/^\| `\w+`.*$/gm) ?? []
  const codes = rows.flatMap((row) => [...row.split('|')[1].matchAll(/`(\w+)`/g)].map(([, code]) => code))
  expect(codes.length).toBeGreaterThan(40)
  const known = (code: string): boolean => code in ERRORS || code === 'serve'
  expect(codes.filter((code) => !known(code))).toEqual([])
})
