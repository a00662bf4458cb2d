/**
 * The current settings. This is the only module that reads the environment. The command that you start reads
 * the settings file too; the processes that it starts get the values of the file as variables.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { failure } from '../core/errors.ts'
import { rowOf, settingInForce, settingsFrom, unknownSettings } from '../core/setting-values.ts'
import type { SettingInForce, SettingsFile } from '../core/setting-values.ts'
import { variableOf, type SettingReader } from '../core/setting-row.ts'
import { SETTING_NAMES, type ForeignVariable, type SettingName, type Settings } from '../core/settings.ts'

export const FILE_NAME = 'headrace.yaml'

let file: SettingsFile | undefined
/** Why the file cannot be read. Thrown by the first use of a setting, so that --help works without one. */
let refused: unknown

/**
 * Reads the settings file: the one that --config or HEADRACE_CONFIG names, or headrace.yaml in the current
 * folder, or the one in the home. Never throws.
 */
export async function openSettingsFile(option?: string): Promise<void> {
  file = undefined
  refused = undefined
  try {
    file = await findFile(option ?? pathIn('config'))
  } catch (error) {
    refused = error
  }
}

/** A path from the environment. Any text is a path, whatever is wrong with other settings. */
const pathIn = (name: 'config' | 'home'): string | undefined =>
  settingInForce(name, { variables: process.env }).value as string | undefined

async function findFile(named: string | undefined): Promise<SettingsFile | undefined> {
  const inHome = resolve(pathIn('home') ?? '', FILE_NAME)
  const path = named === undefined ? [resolve(FILE_NAME), inHome].find(existsSync) : resolve(named)
  if (path === undefined) return undefined
  const { readSettingsFile } = await import('./settings-file.ts')
  const found = await readSettingsFile(path)
  if (path === inHome && found.entries.has('home'))
    throw failure('settings_file_invalid', { path, reason: 'a file in the home cannot set home' })
  return found
}

/** The current values. Throws `setting_invalid` and `settings_file_invalid`. */
export function settings(): Settings {
  if (refused !== undefined) throw refused
  return settingsFrom(process.env, file)
}

/** Whether all values are valid. */
export function areSettingsRight(): boolean {
  try {
    settings()
    return true
  } catch {
    return false
  }
}

/** The path of the settings file. Throws `settings_file_invalid`. */
export function settingsFilePath(): string | undefined {
  if (refused !== undefined) throw refused
  return file?.path
}

/** All settings with values, origins and problems. */
export function settingsInForce(): SettingInForce[] {
  return SETTING_NAMES.map((name) => settingInForce(name, { variables: process.env, file }))
}

/** Warnings about unknown names. */
export function settingNotes(): string[] {
  return unknownSettings({ variables: process.env, file })
}

/** A variable of another program; an empty one counts as not set. */
export function foreignVariable(name: ForeignVariable): string | undefined {
  return process.env[name] || undefined
}

/** The settings that `reader` reads and that are set, as variables for its process. */
export function variablesFor(reader: SettingReader): Record<string, string> {
  const isRead = (name: SettingName): boolean => rowOf(name).readBy.includes(reader)
  return Object.fromEntries(
    settingsInForce()
      .filter(({ name, from, value }) => from !== 'default' && value !== undefined && isRead(name))
      .map(({ name, value }) => [variableOf(name), rowOf(name).kind.write(value)]),
  )
}

/**
 * The environment for a process that continues the work of this one: our own environment, the values of the
 * settings file that such a process reads, and `more`.
 */
export function inheritedEnvironment(more: Record<string, string | undefined> = {}): NodeJS.ProcessEnv {
  const found = file === undefined ? {} : { [variableOf('config')]: file.path }
  return { ...process.env, ...found, ...variablesFor('child'), ...more }
}
