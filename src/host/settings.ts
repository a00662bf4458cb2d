/**
 * The settings in force, and the one place that reads the environment. The command that somebody starts reads
 * the settings file as well; processes that it starts get what the file says as variables.
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { failure } from '../core/errors.ts'
import { rowOf, settingInForce, settingsFrom, unknownSettings } from '../core/setting-values.ts'
import type { SettingInForce, SettingsFile } from '../core/setting-values.ts'
import { variableOf, type SettingReader } from '../core/setting-row.ts'
import { SETTING_NAMES, type ForeignVariable, type SettingName, type Settings } from '../core/settings.ts'

export const FILE_NAME = 'headrace.yaml'

let file: SettingsFile | undefined
/** Why there is no file though there should be: thrown when a setting is asked for, so that --help works. */
let refused: unknown

/**
 * Finds and reads the settings file: the one that is named (--config, HEADRACE_CONFIG), else headrace.yaml in
 * the current folder, else the one in the home. Never throws.
 */
export async function openSettingsFile(option?: string): Promise<void> {
  file = undefined
  refused = undefined
  try {
    file = await findFile(option ?? settingsFrom(process.env).config)
  } catch (error) {
    refused = error
  }
}

async function findFile(named: string | undefined): Promise<SettingsFile | undefined> {
  const inHome = join(resolve(settingsFrom(process.env).home), FILE_NAME)
  const path = named === undefined ? [resolve(FILE_NAME), inHome].find(existsSync) : resolve(named)
  if (path === undefined) return undefined
  const { readSettingsFile } = await import('./settings-file.ts')
  const found = await readSettingsFile(path)
  if (path === inHome && found.entries.has('home'))
    throw failure('settings_file_invalid', { path, reason: 'it lies in the home and sets home' })
  return found
}

/** The values in force now. Throws `setting_invalid` and `settings_file_invalid`. */
export function settings(): Settings {
  if (refused !== undefined) throw refused
  return settingsFrom(process.env, file)
}

/** Whether all of them are what they must be. */
export function areSettingsRight(): boolean {
  try {
    settings()
    return true
  } catch {
    return false
  }
}

/** The settings file in force. Throws `settings_file_invalid` when it cannot be used. */
export function settingsFilePath(): string | undefined {
  if (refused !== undefined) throw refused
  return file?.path
}

/** Each setting with its value, where that comes from, and what is wrong with it. */
export function settingsInForce(): SettingInForce[] {
  return SETTING_NAMES.map((name) => settingInForce(name, { variables: process.env, file }))
}

/** What somebody set that no setting is called. */
export function settingNotes(): string[] {
  return unknownSettings({ variables: process.env, file })
}

/** A variable of another program; an empty one counts as not set. */
export function foreignVariable(name: ForeignVariable): string | undefined {
  return process.env[name] || undefined
}

/** What is set of the settings that `reader` reads, as variables for a process that starts with no others. */
export function variablesFor(reader: SettingReader): Record<string, string> {
  const isRead = (name: SettingName): boolean => rowOf(name).readBy.includes(reader)
  return Object.fromEntries(
    settingsInForce()
      .filter(({ name, from, value }) => from !== 'default' && value !== undefined && isRead(name))
      .map(({ name, value }) => [variableOf(name), rowOf(name).kind.write(value)]),
  )
}

/**
 * The environment of a process that goes on with the work of this one: all of ours, what the settings file
 * says of what such processes read, and `more`.
 */
export function inheritedEnvironment(more: Record<string, string | undefined> = {}): NodeJS.ProcessEnv {
  const found = file === undefined ? {} : { [variableOf('config')]: file.path }
  return { ...process.env, ...found, ...variablesFor('child'), ...more }
}
