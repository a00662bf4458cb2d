/** The type of a row in the table of settings (settings.ts), and how to parse and write values. */

/** The type of a setting: which texts are valid, and how to write a value. */
export interface SettingKind<Value> {
  /** Follows "must be". */
  expected: string
  /** Undefined: the text is not a valid value. */
  read(text: string): Value | undefined
  /** The text that `read` turns into this value. */
  write(value: Value): string
  /** The separator between the items of a list. */
  separator?: string
  /** In a settings file, paths are relative to that file. */
  isPath?: boolean
}

const plain = { read: (text: string): string => text, write: (value: string): string => value }

export const TEXT: SettingKind<string> = { ...plain, expected: 'a text' }
export const PATH: SettingKind<string> = { ...plain, expected: 'a path', isPath: true }

export function list(what: string, separator: ',' | ':', isPath = false): SettingKind<readonly string[]> {
  return {
    expected: `${what}, separated by ${separator === ',' ? 'commas' : 'colons'}`,
    read: (text) =>
      text
        .split(separator)
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    write: (items) => items.join(separator),
    separator,
    isPath,
  }
}

/** A whole number from 1 on. `unit` appears in the expected text, as in `of days`. */
export function wholeNumber({ digits, unit }: { digits: number; unit?: string }): SettingKind<number> {
  const pattern = new RegExp(`^[1-9]\\d{0,${digits - 1}}$`)
  return {
    expected: `a whole number${unit === undefined ? '' : ` of ${unit}`} from 1 to ${'9'.repeat(digits)}`,
    read: (text) => (pattern.test(text) ? Number(text) : undefined),
    write: String,
  }
}

/** A URL with the scheme of one of the examples. */
export function url(...examples: string[]): SettingKind<string> {
  const schemes = new Set(examples.map((example) => `${example.split('://')[0]}://`))
  return {
    expected: `like ${examples.join(' or ')}`,
    read: (text) =>
      [...schemes].some((scheme) => text.startsWith(scheme) && text.length > scheme.length)
        ? text
        : undefined,
    write: (value) => value,
  }
}

export function oneOf<const Word extends string>(...words: Word[]): SettingKind<Word> {
  return {
    expected: `one of ${words.join(', ')}`,
    read: (text) => words.find((word) => word === text),
    write: (value) => value,
  }
}

/** Who reads a setting, in the words of the reference page. */
export const SETTING_READERS = {
  commands: 'all commands',
  datasets: 'commands for datasets and tables',
  client: 'commands that call a service',
  serve: 'serve (all roles)',
  api: 'serve (api)',
  scheduler: 'serve (scheduler)',
  runner: 'serve (runner)',
  execution: 'execution processes',
  child: 'stream children and Spark tasks',
} as const

export type SettingReader = keyof typeof SETTING_READERS

export interface SettingRow {
  kind: SettingKind<unknown>
  /** The default. */
  usual?: unknown
  /** What applies without a value, if the default does not say so. */
  unset?: string
  /** Fits a line of the list: at most 60 characters. */
  meaning: string
  /** More sentences for the reference page. */
  more?: string
  readBy: readonly SettingReader[]
  /** Headrace never shows its value. */
  secret?: true
  /** A settings file cannot set it. */
  environmentOnly?: true
  /** For tests and between processes of Headrace. Listed only when it is set. */
  internal?: true
}

/** The environment variable of a setting. */
export const variableOf = (name: string): string => `HEADRACE_${name.toUpperCase()}`
