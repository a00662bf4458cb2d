/**
 * The value of each setting and its origin. A variable of the environment takes precedence over the settings
 * file, and the file over the default.
 */
import { failure, type HeadraceError } from './errors.ts'
import { variableOf, type SettingRow } from './setting-row.ts'
import { SETTINGS, SETTING_NAMES, type SettingName, type Settings } from './settings.ts'
import { nearest } from './suggest.ts'

export interface SettingsFile {
  path: string
  /** By the setting's name, where there is one. */
  entries: ReadonlyMap<string, { text: string; line: number }>
}

/** Where values come from. An empty variable counts as not set. */
export interface SettingSources {
  variables: Readonly<Record<string, string | undefined>>
  file?: SettingsFile
}

export interface SettingInForce {
  name: SettingName
  /** Undefined: not set and without a default, or invalid. */
  value: unknown
  from: 'default' | 'file' | 'environment'
  /** For people: `the environment`, `headrace.yaml, line 3`. */
  place: string
  problem?: HeadraceError
}

export const rowOf = (name: SettingName): SettingRow => SETTINGS[name]

/** Whether a settings file can set it. */
export const isForFiles = (name: SettingName): boolean => rowOf(name).environmentOnly !== true

export function settingInForce(name: SettingName, { variables, file }: SettingSources): SettingInForce {
  const variable = variableOf(name)
  const text = variables[variable]
  if (text !== undefined && text !== '')
    return { ...read(name, variable, text, 'the environment'), from: 'environment' }
  const entry = isForFiles(name) ? file?.entries.get(name) : undefined
  if (entry !== undefined && entry.text !== '')
    return { ...read(name, name, entry.text, `${file?.path}, line ${entry.line}`), from: 'file' }
  return { name, value: rowOf(name).usual, from: 'default', place: 'default' }
}

/** `called`: its name in the place where it was set. */
function read(name: SettingName, called: string, text: string, place: string): Omit<SettingInForce, 'from'> {
  const { kind, secret } = rowOf(name)
  const value = kind.read(text)
  if (value !== undefined) return { name, value, place }
  const problem = failure('setting_invalid', {
    setting: called,
    name,
    expected: kind.expected,
    value: secret === true ? 'something else' : text.slice(0, 60),
    place,
  })
  return { name, value, place, problem }
}

/** All values. Throws `setting_invalid` for the first invalid one. */
export function settingsFrom(
  variables: SettingSources['variables'],
  file?: SettingSources['file'],
): Settings {
  const values = SETTING_NAMES.map((name) => {
    const { value, problem } = settingInForce(name, { variables, file })
    if (problem !== undefined) throw problem
    return [name, value]
  })
  return Object.fromEntries(values) as Settings
}

/** A warning for each name that is set but unknown, with the nearest known name. */
export function unknownSettings({ variables, file }: SettingSources): string[] {
  const known = SETTING_NAMES.map(variableOf)
  const strange = Object.entries(variables)
    .filter(([variable, value]) => isMeantForUs(variable, value) && !known.includes(variable))
    .map(([variable]) => `Unknown setting ${variable}. ${hintOf(variable, known)}`)
  const forFiles = SETTING_NAMES.filter(isForFiles)
  const unread = [...(file?.entries ?? [])]
    .filter(([name]) => !(forFiles as string[]).includes(name))
    .map(([name, { line }]) => {
      const place = `${file?.path}, line ${line}`
      return (SETTING_NAMES as string[]).includes(name)
        ? `A settings file cannot set ${name} (${place}). Use the variable ${variableOf(name)}.`
        : `Unknown setting ${name} (${place}). ${hintOf(name, forFiles)}`
    })
  return [...strange, ...unread]
}

function hintOf(name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  return near === undefined ? 'To list all settings: headrace settings' : `Did you mean ${near}?`
}

/**
 * False for variables of the test suite, and for those that Kubernetes sets in every pod if a service is named
 * headrace.
 */
function isMeantForUs(variable: string, value = ''): boolean {
  if (!variable.startsWith('HEADRACE_') || variable.startsWith('HEADRACE_TEST_')) return false
  return !(
    /^HEADRACE_(SERVICE_(HOST|PORT)|PORT_\d+_)/.test(variable) ||
    (variable === 'HEADRACE_PORT' && value.includes('://'))
  )
}
