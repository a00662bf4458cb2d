/** The limits of `.oxlintrc.json` are in force: each is shown red once, at its edge. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'headrace-lint-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Rules that a text breaks. */
function brokenBy(text: string): string[] {
  const path = join(folder, 'a.ts')
  writeFileSync(path, text)
  const args = ['node_modules/oxlint/bin/oxlint', '-c', '.oxlintrc.json', '--format', 'json', path]
  const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  return (JSON.parse(stdout) as { diagnostics: { code: string }[] }).diagnostics.map(
    (diagnostic) => diagnostic.code,
  )
}

const functionOf = (parameters: number, branches: number): string => {
  const names = Array.from({ length: parameters }, (_, i) => `a${i}: number`).join(', ')
  const lines = Array.from({ length: branches }, (_, i) => `  if (a0 === ${i}) return ${i}\n`).join('')
  const sum = Array.from({ length: parameters }, (_, i) => `a${i}`).join(' + ')
  return `export function f(${names}): number {\n${lines}  return ${sum}\n}\n`
}

test.each([
  ['four parameters and 16 ways through a function', functionOf(4, 15), []],
  ['five parameters', functionOf(5, 1), ['eslint(max-params)']],
  ['17 ways through a function', functionOf(1, 16), ['eslint(complexity)']],
  [
    'a nested ternary',
    'export const f = (a: number) => (a > 1 ? 1 : a > 0 ? 2 : 3)\n',
    ['eslint(no-nested-ternary)'],
  ],
  ['what the default rules find', 'const a = 1\n', ['eslint(no-unused-vars)']],
])('%s', (_, text, rules) => {
  expect(brokenBy(text)).toEqual(rules)
})
