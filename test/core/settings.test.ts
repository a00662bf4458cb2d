/** The table of settings and what reads it: values by kind, where they come from, names that nobody reads. */
import { expect, test } from 'vitest'
import { settingInForce, settingsFrom, unknownSettings } from '../../src/core/setting-values.ts'
import type { SettingsFile } from '../../src/core/setting-values.ts'
import { variableOf, type SettingRow } from '../../src/core/setting-row.ts'
import { SETTINGS, SETTING_NAMES, type SettingName } from '../../src/core/settings.ts'

const rows = Object.entries<SettingRow>(SETTINGS)

function fileOf(values: Record<string, string>): SettingsFile {
  const entries = Object.entries(values).map(([name, text], i) => [name, { text, line: i + 1 }] as const)
  return { path: '/x/headrace.yaml', entries: new Map(entries) }
}

test('each setting has a name, a meaning that fits a list, readers, and what holds without a value', () => {
  for (const [name, row] of rows) {
    expect(name).toMatch(/^[a-z]+(_[a-z]+)*$/)
    expect(row.meaning.length, name).toBeLessThanOrEqual(60)
    expect(row.readBy.length, name).toBeGreaterThan(0)
    expect(row.usual ?? row.unset, name).toBeDefined()
  }
})

test('a usual value reads as itself, from a variable and from a file', () => {
  for (const [name, { kind, usual }] of rows)
    if (usual !== undefined) expect(kind.read(kind.write(usual)), name).toEqual(usual)
})

test('values have the types of their kinds', () => {
  expect(
    settingsFrom({
      HEADRACE_ALLOW_HOSTS: 'a, 10.0.0.0/8 ,,',
      HEADRACE_ALLOW_PATHS: '/a::/b',
      HEADRACE_KEEP_LOGS_DAYS: '7',
      HEADRACE_HOME: 'h',
    }),
  ).toMatchObject({
    allow_hosts: ['a', '10.0.0.0/8'],
    allow_paths: ['/a', '/b'],
    keep_logs_days: 7,
    keep_events_days: 400,
    home: 'h',
    tables: undefined,
    log: 'info',
  })
})

test('a variable goes before the file, the file before the usual value; an empty one is not set', () => {
  const file = fileOf({ log: 'warn', keep_logs_days: '3' })
  const of = (name: SettingName, variables: Record<string, string>): unknown[] => {
    const { value, from, place } = settingInForce(name, { variables, file })
    return [value, from, place]
  }
  expect(of('log', { HEADRACE_LOG: 'debug' })).toEqual(['debug', 'environment', 'the environment'])
  expect(of('log', { HEADRACE_LOG: '' })).toEqual(['warn', 'file', '/x/headrace.yaml, line 1'])
  expect(of('keep_events_days', {})).toEqual([400, 'default', 'default'])
  expect(settingsFrom({ HEADRACE_LOG: 'debug' }, file)).toMatchObject({ log: 'debug', keep_logs_days: 3 })
})

test.each([
  ['HEADRACE_LOG', 'loud', 'one of trace, debug'],
  ['HEADRACE_URL', 'localhost:8480', 'like http://'],
  ['HEADRACE_URL', 'http://', 'like http://'],
  ['HEADRACE_OIDC_ISSUER', 'login.example.com', 'like https://'],
  ['HEADRACE_WEBHDFS', 'hdfs://a:9870', 'like http://'],
  ['HEADRACE_LIMIT_JOBS', '1_000', 'a whole number from 1 to 999999999'],
  ['HEADRACE_KEEP_EVENTS_DAYS', '0', 'a whole number of days from 1 to 99999'],
])('%s=%s is refused by name, with what it may be and where it was set', (variable, text, expected) => {
  const name = variable.replace('HEADRACE_', '').toLowerCase()
  const thrown = (read: () => unknown): unknown => {
    try {
      return read()
    } catch (error) {
      return error
    }
  }
  const failure = thrown(() => settingsFrom({ [variable]: text }))
  expect(failure).toMatchObject({ code: 'setting_invalid', params: { setting: variable, name, value: text } })
  expect(String(failure)).toContain(`${variable} must be ${expected}`)
  expect(String(failure)).toContain('(set in the environment)')
  if (SETTINGS[name as SettingName] !== undefined && !('environmentOnly' in SETTINGS[name as SettingName]))
    expect(String(thrown(() => settingsFrom({}, fileOf({ home: 'h', [name]: text }))))).toContain(
      `${name} must be ${expected}`,
    )
})

test('where a file is wrong is said with its line', () => {
  expect(() => settingsFrom({}, fileOf({ home: 'h', limit_jobs: 'many' }))).toThrow(
    'limit_jobs must be a whole number from 1 to 999999999, but is many (set in /x/headrace.yaml, line 2).',
  )
})

test('a secret is not said when it is wrong', () => {
  for (const [name, { secret, kind }] of rows) {
    if (secret !== true || kind.expected === 'a text') continue
    const { problem } = settingInForce(name as SettingName, { variables: { [variableOf(name)]: 'CaNaRy' } })
    expect(problem?.message, name).toContain('something else')
    expect(JSON.stringify({ ...problem, message: problem?.message }), name).not.toContain('CaNaRy')
  }
})

test('a file cannot set what says which file, which service, or what tests set', () => {
  const file = fileOf({ url: 'http://evil', token: 't', config: '/x', failpoint: 'commit.done', log: 'warn' })
  const values = settingsFrom({}, file)
  expect([values.url, values.token, values.config, values.failpoint]).toEqual(Array(4).fill(undefined))
  expect(unknownSettings({ variables: {}, file })).toEqual([
    'A settings file cannot set url (/x/headrace.yaml, line 1). Use the variable HEADRACE_URL.',
    'A settings file cannot set token (/x/headrace.yaml, line 2). Use the variable HEADRACE_TOKEN.',
    'A settings file cannot set config (/x/headrace.yaml, line 3). Use the variable HEADRACE_CONFIG.',
    'A settings file cannot set failpoint (/x/headrace.yaml, line 4). Use the variable HEADRACE_FAILPOINT.',
  ])
})

test('names that no setting has are told with the nearest one', () => {
  const variables = { HEADRACE_ALOW_HOSTS: 'a', HEADRACE_QWERTZUIOP: 'b', HEADRACE_HOME: 'c', OTHER: 'd' }
  expect(unknownSettings({ variables, file: fileOf({ limits_jobs: '7', home: 'h' }) })).toEqual([
    'Unknown setting HEADRACE_ALOW_HOSTS. Did you mean HEADRACE_ALLOW_HOSTS?',
    'Unknown setting HEADRACE_QWERTZUIOP. To list all settings: headrace settings',
    'Unknown setting limits_jobs (/x/headrace.yaml, line 1). Did you mean limit_jobs?',
  ])
})

test('every setting is known by its variable; those of the test suite and of Kubernetes are not told', () => {
  const all = Object.fromEntries(SETTING_NAMES.map((name) => [variableOf(name), 'x']))
  const others = {
    HEADRACE_TEST_SEED: '7',
    HEADRACE_SERVICE_HOST: '10.0.0.1',
    HEADRACE_SERVICE_PORT: '8480',
    HEADRACE_SERVICE_PORT_HTTP: '8480',
    HEADRACE_PORT: 'tcp://10.0.0.1:8480',
    HEADRACE_PORT_8480_TCP_ADDR: '10.0.0.1',
  }
  expect(unknownSettings({ variables: { ...all, ...others } })).toEqual([])
  expect(unknownSettings({ variables: { HEADRACE_PORT: '8480' } })).toHaveLength(1)
})
