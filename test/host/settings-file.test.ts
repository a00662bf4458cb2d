/** The settings file: how it is found and read, and what processes get of it that are started. */
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { settingsFrom, unknownSettings } from '../../src/core/setting-values.ts'
import { readSettingsFile } from '../../src/host/settings-file.ts'
import {
  inheritedEnvironment,
  openSettingsFile,
  settings,
  settingsFilePath,
  variablesFor,
} from '../../src/host/settings.ts'

const before = { ...process.env }
let folder: string

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'headrace-settings-')))
  mkdirSync(join(folder, 'home'))
  for (const name of Object.keys(process.env)) if (name.startsWith('HEADRACE_')) delete process.env[name]
  process.env.HEADRACE_HOME = join(folder, 'home')
})
afterEach(async () => {
  process.env = { ...before }
  // Other tests of this process must not find what these read.
  await openSettingsFile()
})

const write = (text: string, name = 'some.yaml'): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const refusal = async (text: string): Promise<unknown> =>
  readSettingsFile(write(text)).catch((error: unknown) => String(error))

test('names are in snake or kebab case, flat or nested; lists and texts are the same', async () => {
  const { entries } = await readSettingsFile(
    write(`log: warn
keep-logs-days: 7
allow_hosts: [a, "b:1"]
allow: { paths: "/a:/b" }
oidc:
  issuer: https://x
  role-claim: role
limit:
  jobs: 0700
  logs_mb: # not set
`),
  )
  expect(Object.fromEntries([...entries].map(([name, { text, line }]) => [name, [text, line]]))).toEqual({
    log: ['warn', 1],
    keep_logs_days: ['7', 2],
    allow_hosts: ['a,b:1', 3],
    allow_paths: ['/a:/b', 4],
    oidc_issuer: ['https://x', 6],
    oidc_role_claim: ['role', 7],
    limit_jobs: ['0700', 9],
    limit_logs_mb: ['', 10],
  })
})

test('paths are relative to the file, addresses stay', async () => {
  const path = write('home: data\nallow-paths: [../a, /b]\ntables: s3://bucket/x\nsecrets_key_file: key\n')
  const values = settingsFrom({}, await readSettingsFile(path))
  expect(values.home).toBe(join(folder, 'data'))
  expect(values.allow_paths).toEqual([join(folder, '..', 'a'), '/b'])
  expect(values.tables).toBe('s3://bucket/x')
  expect(values.secrets_key_file).toBe(join(folder, 'key'))
})

test.each([
  ['log: "warn\n', /line 2: Missing closing "quote/],
  ['- a\n- b\n', /it must contain names and values/],
  ['log: warn\nlog: info\n', /line 2: Map keys must be unique/],
  ['limit_jobs: 1\nlimit:\n  jobs: 2\n', /line 3: limit_jobs is set twice/],
  ['home: [a, b]\n', /line 1: home takes one value, not a list/],
  ['log: &a warn\nhome: *a\n', /line 2: write out the alias \*a/],
  ['allow_hosts: [[a]]\n', /line 1: allow_hosts must be a plain list/],
])('%j is refused by its line', async (text, reason) => {
  expect(await refusal(text)).toMatch(/Cannot read the settings file .*some\.yaml: /)
  expect(await refusal(text)).toMatch(reason)
})

test('an empty file sets nothing, one that is not there is refused', async () => {
  expect((await readSettingsFile(write('# nothing\n'))).entries.size).toBe(0)
  await expect(readSettingsFile(join(folder, 'none.yaml'))).rejects.toMatchObject({
    code: 'settings_file_invalid',
  })
})

test('the example of the page is a file with nothing unknown in it', async () => {
  const page = readFileSync('docs/reference/settings.md', 'utf8')
  const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? ''
  const file = await readSettingsFile(write(example))
  expect(unknownSettings({ variables: {}, file })).toEqual([])
  expect(settingsFrom({}, file)).toMatchObject({ home: '/srv/headrace', limit_jobs: 2000 })
})

test('the one that is named goes before the one of the home', async () => {
  write('log: error\n', 'home/headrace.yaml')
  const named = write('log: warn\n')
  await openSettingsFile()
  expect([settings().log, settingsFilePath()]).toEqual(['error', join(folder, 'home', 'headrace.yaml')])
  process.env.HEADRACE_CONFIG = named
  await openSettingsFile()
  expect(settings().log).toBe('warn')
  await openSettingsFile(write('log: debug\n', 'other.yaml'))
  expect(settings().log).toBe('debug')
})

test('a file that cannot be used is said when a setting is asked for, not before', async () => {
  await openSettingsFile(join(folder, 'none.yaml'))
  expect(() => settings()).toThrow(/Cannot read the settings file .*none\.yaml/)
  write('home: elsewhere\n', 'home/headrace.yaml')
  await openSettingsFile()
  expect(() => settings()).toThrow(/a file in the home cannot set home/)
})

test('an execution gets of file and environment what it reads and no secret, a child what it reads', async () => {
  process.env.HEADRACE_SMTP_URL = 'smtp://user:CaNaRy@host'
  process.env.HEADRACE_LIMIT_JOBS = '5'
  const path = write(
    'home: h\nallow_hosts: [a, b]\ndatabase: postgres://u:CaNaRy@h/d\nwebhdfs: http://n:1\nlog: warn\n',
  )
  await openSettingsFile(path)
  expect(variablesFor('execution')).toEqual({ HEADRACE_ALLOW_HOSTS: 'a,b' })
  delete process.env.HEADRACE_HOME
  expect(variablesFor('child')).toEqual({
    HEADRACE_HOME: join(folder, 'h'),
    HEADRACE_WEBHDFS: 'http://n:1',
  })
  const env = inheritedEnvironment({ HEADRACE_HOME: 'mine' })
  expect(env).toMatchObject({
    HEADRACE_CONFIG: path,
    HEADRACE_HOME: 'mine',
    HEADRACE_WEBHDFS: 'http://n:1',
    PATH: before.PATH,
  })
  expect(env.HEADRACE_DATABASE).toBeUndefined()
})
