/** Completion in real shells: each loads the script and is asked what it offers. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { removeAtEnd } from '../support/at-end.ts'
import { offered, optionsWithChoices, type Shell } from '../support/shells.ts'
import { cli } from '../support/system.ts'

const folder = mkdtempSync(join(tmpdir(), 'headrace-completion-'))
removeAtEnd(folder)
const scripts = new Map<Shell, string>()

async function scriptOf(shell: Shell): Promise<string> {
  const path = join(folder, `headrace.${shell}`)
  if (!scripts.has(shell)) {
    const { code, stdout } = await cli({ env: process.env }, ['completion', shell])
    expect(code).toBe(0)
    writeFileSync(path, stdout)
    scripts.set(shell, path)
  }
  return path
}

const JOBS = ['change', 'create', 'delete', 'evaluate', 'help', 'list', 'pause', 'resume', 'run', 'show']

test.each(['bash', 'zsh', 'fish'] as const)(
  '%s offers commands, options, choices and files',
  async (shell) => {
    const script = await scriptOf(shell)
    const at = (line: string): string[] => offered(shell, script, line)
    expect(at('headrace jobs ')).toEqual(JOBS)
    expect(at('headrace -o json jobs ')).toEqual(JOBS)
    expect(at('headrace jobs cr')).toEqual(['create'])
    expect(at('headrace qua')).toEqual(['quarantine'])
    expect(at('headrace stream --until')).toEqual(['--until-caught-up'])
    expect(at('headrace stream books --engine ')).toEqual(['duckdb', 'spark'])
    expect(at('headrace completion ')).toEqual(['bash', 'fish', 'zsh'])
    expect(at('headrace -o ')).toEqual(['json', 'table'])
    expect(at('headrace jobs list --output j')).toEqual(['json'])
    // An option's value is no command.
    expect(at('headrace jobs create --tenant list --fi')).toEqual(['--file'])
    // bash completes names of files by itself where nothing is offered.
    const file = shell === 'bash' ? [] : ['package-lock.json']
    expect(at('headrace dataset check package-l')).toEqual(file)
    expect(at('headrace jobs create --file package-l')).toEqual(file)
  },
  120_000,
)

test('bash completes a choice behind an equals sign', async () => {
  const script = await scriptOf('bash')
  expect(offered('bash', script, 'headrace stream --engine=s')).toEqual(['spark'])
})

test('every option with choices offers them', async () => {
  const script = await scriptOf('bash')
  const options = optionsWithChoices()
  expect(options.map(({ line }) => line)).toContain('produce --compression ')
  // Each command has --output; that of the program and of one command stand for all.
  for (const { line, choices } of options)
    if (!line.endsWith(' --output ') || [' --output ', 'tables list --output '].includes(line))
      expect(offered('bash', script, `headrace ${line.trimStart()}`), line).toEqual(choices.toSorted())
})

test('a format that is not known is refused with those that are', async () => {
  const { code, stdout, stderr } = await cli({ env: process.env }, ['tables', 'list', '-o', 'yaml'])
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toContain('Allowed choices are table, json')
})

test('a shell that is not known is refused with those that are', async () => {
  const { code, stderr } = await cli({ env: process.env }, ['completion', 'tcsh'])
  expect([code, stderr]).toEqual([2, expect.stringContaining('bash, zsh, fish')])
})

test('every command of the help is offered', async () => {
  const { stdout } = await cli({ env: process.env }, ['--help'])
  const [, commands] = stdout.split('Commands:\n')
  const names = [...commands.matchAll(/^ {2}([a-z][\w-]*)/gm)].map(([, name]) => name)
  expect(names.length).toBeGreaterThan(30)
  expect(offered('bash', await scriptOf('bash'), 'headrace ')).toEqual(names.toSorted())
})
