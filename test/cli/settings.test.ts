/** headrace settings, and what a settings file does for commands: as somebody at a terminal meets it. */
import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openFolder } from '../support/service.ts'
import { ENTRY } from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'

interface Run {
  code: number
  stdout: string
  stderr: string
}

/** Nothing is set but what the test sets. */
const bare = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HEADRACE_')))

function headrace(cwd: string, args: string[], env: Record<string, string> = {}): Promise<Run> {
  const options = { cwd, env: { ...bare, ...env }, timeout: limitMs(120_000) }
  return new Promise((done) =>
    execFile(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', ENTRY, ...args],
      options,
      (error, stdout, stderr) => done({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    ),
  )
}

/** A current folder with a settings file in it. */
function folderWith(text: string): string {
  const folder = realpathSync(openFolder('headrace-cwd-'))
  writeFileSync(join(folder, 'headrace.yaml'), text)
  return folder
}

type Row = { setting: string; value: unknown; from: string }
const rowsOf = ({ stdout }: Run): Record<string, unknown[]> =>
  Object.fromEntries(
    (JSON.parse(stdout) as Row[]).map(({ setting, value, from }) => [setting, [value, from]]),
  )

test('each setting with its value and where it comes from; a secret is not shown', async () => {
  const folder = folderWith(
    'log: warn\nlimit: { jobs: 7 }\nallow-hosts: [a, b]\nsmtp_url: smtp://u:CaNaRy@h\n',
  )
  const env = { HEADRACE_LIMIT_JOBS: '9', HEADRACE_TOKEN: 'CaNaRy' }
  const shown = await headrace(folder, ['settings', '-o', 'json'], env)
  expect(rowsOf(shown)).toMatchObject({
    log: ['warn', 'file'],
    limit_jobs: [9, 'environment'],
    limit_webhooks: [100, 'default'],
    allow_hosts: [['a', 'b'], 'file'],
    tables: [null, 'default'],
    smtp_url: ['(secret)', 'file'],
    token: ['(secret)', 'environment'],
  })
  const table = await headrace(folder, ['settings'], env)
  expect(table.stdout).toMatch(/^allow_hosts +a,b +file /m)
  expect(table.stderr).toBe(`Settings file: ${join(folder, 'headrace.yaml')}\n`)
  const smtpUrl = await headrace(folder, ['settings', 'smtp-url', '-o', 'json'], env)
  expect(JSON.parse(smtpUrl.stdout)).toMatchObject({
    setting: 'smtp_url',
    value: '(secret)',
    set_in: `${join(folder, 'headrace.yaml')}, line 4`,
    variable: 'HEADRACE_SMTP_URL',
  })
  for (const { stdout, stderr } of [shown, table, smtpUrl]) expect(stdout + stderr).not.toContain('CaNaRy')
})

test('the file of the current folder, of the home, and one that is named anywhere on the line', async () => {
  const folder = folderWith('log: warn\n')
  mkdirSync(join(folder, 'home'))
  writeFileSync(join(folder, 'home', 'headrace.yaml'), 'log: error\n')
  writeFileSync(join(folder, 'other.yaml'), 'log: debug\n')
  mkdirSync(join(folder, 'below'))
  const logOf = async (cwd: string, args: string[], env: Record<string, string> = {}): Promise<unknown> => {
    const run = await headrace(cwd, ['settings', '-o', 'json', ...args], env)
    return rowsOf(run).log
  }
  const home = { HEADRACE_HOME: join(folder, 'home') }
  expect(await logOf(folder, [], home)).toEqual(['warn', 'file'])
  expect(await logOf(join(folder, 'below'), [], home)).toEqual(['error', 'file'])
  expect(await logOf(folder, ['--config', 'other.yaml'], home)).toEqual(['debug', 'file'])
  expect(await logOf(folder, ['--config=other.yaml'])).toEqual(['debug', 'file'])
  expect(await logOf(join(folder, 'below'), [], { HEADRACE_CONFIG: '../other.yaml' })).toEqual([
    'debug',
    'file',
  ])
  expect(await logOf(join(folder, 'below'), [])).toEqual(['info', 'default'])
})

test('a wrong value ends every command before it begins, but for help and the list, which shows it', async () => {
  const folder = folderWith('home: h\n# a comment\nkeep_logs_days: soon\n')
  // It reads no setting, and is refused all the same.
  const refused = await headrace(folder, ['dataset', 'schema'])
  expect(refused).toMatchObject({ code: 2, stdout: '' })
  expect(refused.stderr).toBe(
    `Error: keep_logs_days must be a whole number of days from 1 to 99999, but is soon (set in ${join(folder, 'headrace.yaml')}, line 3).\nTry: Correct the value there. To read about the setting: headrace settings keep_logs_days\n`,
  )
  expect(await headrace(folder, ['tables', '--help'])).toMatchObject({ code: 0, stderr: '' })
  const list = await headrace(folder, ['settings'])
  expect(list.code).toBe(2)
  expect(list.stdout).toMatch(/^keep_logs_days +\(wrong\) +file/m)
  expect(list.stderr).toContain('keep_logs_days must be')
  const wrong = await headrace(folder, ['settings'], { HEADRACE_LOG: 'loud' })
  expect(wrong.stdout).toMatch(/^log +\(wrong\) +environment/m)
  const variable = await headrace(folder, ['tables', 'list', '-o', 'json'], { HEADRACE_KEEP_LOGS_DAYS: '0' })
  expect(JSON.parse(variable.stderr)).toMatchObject({
    error: {
      code: 'setting_invalid',
      params: { setting: 'HEADRACE_KEEP_LOGS_DAYS', place: 'the environment' },
    },
  })
})

test('a file that cannot be used is said by name', async () => {
  const folder = folderWith('home: [\n')
  const broken = await headrace(folder, ['tables', 'list'])
  expect(broken).toMatchObject({ code: 2, stdout: '' })
  expect(broken.stderr).toMatch(/^Error: Cannot read the settings file .*headrace\.yaml: line \d: /)
  const gone = await headrace(folder, ['tables', 'list', '--config', 'none.yaml'])
  expect(gone.stderr).toMatch(/none\.yaml: ENOENT/)
})

test('names that no setting has: a warning each on stderr, once; results stay what they are', async () => {
  const folder = folderWith('lgo: warn\n')
  const env = { HEADRACE_ALOW_HOSTS: 'a', HEADRACE_TEST_SEED: '7' }
  const plain = await headrace(folder, ['tables', 'list'], env)
  expect([plain.code, plain.stdout]).toEqual([0, expect.stringMatching(/^No tables in /)])
  expect(plain.stderr).toBe(
    `Unknown setting HEADRACE_ALOW_HOSTS. Did you mean HEADRACE_ALLOW_HOSTS?\nUnknown setting lgo (${join(folder, 'headrace.yaml')}, line 1). Did you mean log?\n`,
  )
  const json = await headrace(folder, ['tables', 'list', '-o', 'json'], env)
  expect(JSON.parse(json.stdout)).toEqual([])
  const notes = json.stderr.trim().split('\n')
  expect(notes.map((line) => Object.keys(JSON.parse(line) as object))).toEqual([['note'], ['note']])
  expect((await headrace(folder, ['--help'], env)).stderr).toBe('')
})

test('a setting by any way to write it; a wrong name with the nearest', async () => {
  const folder = folderWith('')
  for (const name of ['allow_hosts', 'allow-hosts', 'allow.hosts', 'HEADRACE_ALLOW_HOSTS'])
    expect((await headrace(folder, ['settings', name])).stdout).toMatch(/^variable +HEADRACE_ALLOW_HOSTS$/m)
  const wrong = await headrace(folder, ['settings', 'alow_hosts'])
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toContain('Unknown setting alow_hosts. Did you mean allow_hosts?')
})

test('what the file says holds for commands and for the processes of a stream', async () => {
  const folder = folderWith('home: data\nfolder: incoming\nlog: warn\n')
  const produced = await headrace(folder, ['produce', 'books_files', '--count', '50'])
  expect(produced.code, produced.stderr).toBe(0)
  const streamed = await headrace(folder, ['stream', 'books_files', '--until-caught-up', '-o', 'json'])
  expect(JSON.parse(streamed.stdout), streamed.stderr).toMatchObject({ messages: 50 })
  expect(readdirSync(folder).toSorted()).toEqual(['data', 'headrace.yaml', 'incoming'])
  expect(readdirSync(join(folder, 'data'))).toEqual(expect.arrayContaining(['locks', 'spill', 'tables']))
})
