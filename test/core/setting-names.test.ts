/** Every setting that a text names exists: in errors, help, comments, pages, examples and tests. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { variableOf } from '../../src/core/setting-row.ts'
import { SETTING_NAMES } from '../../src/core/settings.ts'

/** A mark in texts of SQL, and what Kubernetes sets. */
const NO_SETTINGS = ['HEADRACE_UNPROVEN', 'HEADRACE_PORT']
/** They name what is no setting on purpose. */
const OF_WRONG_NAMES =
  /^test\/(core|cli|host)\/settings|^test\/(scripts\/tidy|core\/setting-names)\.test\.ts$/

/** Names of variables in a text that are neither a setting's nor the test suite's. */
function unknownVariables(text: string): string[] {
  const known = new Set([...SETTING_NAMES.map(variableOf), ...NO_SETTINGS])
  const named = [...text.matchAll(/\bHEADRACE_[A-Z][A-Z_]*[A-Z]\b/g)].map(([name]) => name)
  return [...new Set(named)].filter((name) => !known.has(name) && !name.startsWith('HEADRACE_TEST_'))
}

/** All texts of the project, the package's list of dependencies apart. */
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { encoding: 'utf8' })
  .trim()
  .split('\n')
  .filter((path) => /(^headrace|^\.ci\/run|\.(ts|md|py|java|json|ya?ml|csv))$/.test(path))
  .filter((path) => !OF_WRONG_NAMES.test(path) && !path.startsWith('package-'))

test('every variable that source, pages, examples, scripts and tests name is a setting, or of the test suite', () => {
  const wrong = files.flatMap((path) =>
    unknownVariables(readFileSync(path, 'utf8')).map((name) => `${path}: ${name}`),
  )
  expect(wrong).toEqual([])
  for (const path of ['README.md', 'docs/service.md', 'src/core/errors/tables.ts', 'src/cli/backup.ts'])
    expect(files).toContain(path)
})

test('a name that no setting has is found', () => {
  expect(unknownVariables('Set HEADRACE_STREAM_MEMORY or HEADRACE_HOME, `HEADRACE_TEST_SEED`.')).toEqual([
    'HEADRACE_STREAM_MEMORY',
  ])
})

test('every setting is on its page', () => {
  const page = readFileSync('docs/reference/settings.md', 'utf8')
  for (const name of SETTING_NAMES) expect(page).toContain(`| \`${name}\` | \`${variableOf(name)}\` |`)
})
