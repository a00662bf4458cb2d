/** headrace settings: all settings with their values and where each value comes from. */
import type { Command } from 'commander'
import { failure } from '../core/errors.ts'
import { SETTING_READERS, variableOf } from '../core/setting-row.ts'
import { isForFiles, rowOf, type SettingInForce } from '../core/setting-values.ts'
import { SETTING_NAMES, type SettingName } from '../core/settings.ts'
import { nearest } from '../core/suggest.ts'
import { settingsFilePath, settingsInForce } from '../host/settings.ts'
import type { Output, OutputFormat } from './output.ts'

export function addSettings(program: Command, output: () => Output): void {
  program
    .command('settings [name]')
    .description('list all settings with their values and where each value comes from')
    .addHelpText(
      'after',
      '\nExamples:\n  headrace settings\n  headrace settings allow_hosts\n\nEnvironment variables override headrace.yaml. Secrets are hidden.',
    )
    .action((name: string | undefined) => {
      const path = settingsFilePath()
      const out = output()
      const all = settingsInForce()
      if (name === undefined) {
        out.rows(all.filter(isListed).map((setting) => rowFor(setting, out.format)))
        out.say(`Settings file: ${path ?? 'none'}`)
        complain(all)
      } else {
        const named = settingNamed(name)
        const found = all.filter((setting) => setting.name === named)
        for (const setting of found) out.object(detailsOf(setting, out.format))
        complain(found)
      }
    })
}

const isListed = ({ name, from }: SettingInForce): boolean =>
  from !== 'default' || rowOf(name).internal !== true

/** Ends the command with the first wrong value, after the list. */
function complain(all: SettingInForce[]): void {
  const wrong = all.find(({ problem }) => problem !== undefined)
  if (wrong?.problem !== undefined) throw wrong.problem
}

/** Typed in JSON. As text, a list is as you write it, and parentheses hold what applies without a value. */
function valueOf({ name, value, from, problem }: SettingInForce, format: OutputFormat): unknown {
  const { kind, secret, unset } = rowOf(name)
  if (problem !== undefined) return '(wrong)'
  if (secret === true && from !== 'default') return '(secret)'
  if (format === 'json') return value ?? null
  if (from === 'default' && unset !== undefined) return `(${unset})`
  return Array.isArray(value) ? kind.write(value) : value
}

function rowFor(setting: SettingInForce, format: OutputFormat): Record<string, unknown> {
  const { name, from } = setting
  return { setting: name, value: valueOf(setting, format), from, meaning: rowOf(name).meaning }
}

function detailsOf(setting: SettingInForce, format: OutputFormat): Record<string, unknown> {
  const { name, from, place } = setting
  const { kind, meaning, more, usual, unset, readBy } = rowOf(name)
  const readers = readBy.map((reader) => SETTING_READERS[reader])
  return {
    setting: name,
    value: valueOf(setting, format),
    from,
    ...(from === 'default' ? {} : { set_in: place }),
    meaning: more === undefined ? meaning : `${meaning}. ${more}`,
    must_be: kind.expected,
    default: format === 'json' ? (usual ?? null) : (unset ?? usual),
    variable: variableOf(name),
    in_a_file: isForFiles(name),
    read_by: format === 'json' ? readers : readers.join('; '),
  }
}

/** Accepts all spellings: `allow_hosts`, `allow-hosts`, `allow.hosts`, `HEADRACE_ALLOW_HOSTS`. */
function settingNamed(given: string): SettingName {
  const name = given
    .replace(/^HEADRACE_/, '')
    .toLowerCase()
    .replaceAll(/[-.]/g, '_')
  const known = SETTING_NAMES.find((candidate) => candidate === name)
  if (known !== undefined) return known
  const near = nearest(name, SETTING_NAMES)
  const hint = near === undefined ? 'To list all settings: headrace settings' : `Did you mean ${near}?`
  throw failure('usage', { reason: `Unknown setting ${given.slice(0, 60)}. ${hint}` })
}
