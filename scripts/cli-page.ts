/** The reference page of all commands, made from the program itself. */
import type { EventEmitter } from 'node:events'
import type { Argument, Command, Option } from 'commander'
import { createProgram } from '../src/main/program.ts'

const INTRO = `# Commands

Every command takes \`-o json\` for machines and \`--help\`. Results go to stdout, everything else to stderr. Exit codes: 0 done, 1
failed, 2 wrong usage. \`headrace completion SHELL\` completes commands and options in your shell.
`

/** What every command has; said once. */
const COMMON = ['--output', '--help', '--version']

export function cliPage(): string {
  const commands = leavesOf(createProgram('0'), [])
  const list = commands.map(
    ({ path, command }) => `| [\`${path}\`](#${anchorOf(path)}) | ${cell(command.description())} |`,
  )
  const head = '| Command | What it does |\n| --- | --- |'
  return `${INTRO}\n${head}\n${list.join('\n')}\n\n${commands.map(section).join('\n')}`
}

interface Leaf {
  path: string
  command: Command
}

/** Commands that do something; those that only group others are in the paths of these. */
function leavesOf(command: Command, words: string[]): Leaf[] {
  if (command.commands.length === 0) return [{ path: `headrace ${words.join(' ')}`, command }]
  return command.commands.flatMap((child) => leavesOf(child, [...words, child.name()]))
}

const anchorOf = (path: string): string => path.replaceAll(' ', '-')

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

function section({ path, command }: Leaf): string {
  const named = command.registeredArguments
  const rows = [
    ...named.map((argument) => `| \`${placeholder(argument)}\` | ${cell(withChoices(argument))} |`),
    ...command
      .createHelp()
      .visibleOptions(command)
      .filter((option) => !COMMON.includes(option.long ?? ''))
      .map((option) => `| \`${cell(option.flags)}\` | ${cell(withChoices(option))} |`),
  ].filter((row) => !row.endsWith('|  |'))
  const usage = [path, ...named.map(placeholder)].join(' ')
  const table =
    rows.length === 0 ? '' : `\n| Argument or option | Meaning |\n| --- | --- |\n${rows.join('\n')}\n`
  return `## ${path}\n\n${sentence(command.description())}\n\n\`\`\`text\n${usage}\n\`\`\`\n${table}${more(command)}`
}

const sentence = (text: string): string =>
  `${text[0].toUpperCase()}${text.slice(1)}${/[.!]$/.test(text) ? '' : '.'}`

function placeholder(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`
  return argument.required ? `<${name}>` : `[${name}]`
}

/** The description with the values that it may have and the one that it has. */
function withChoices({
  description,
  argChoices,
  defaultValue,
  defaultValueDescription,
  mandatory,
}: Described): string {
  const usual = defaultValueDescription ?? shownDefault(defaultValue)
  const notes = [
    ...(argChoices === undefined ? [] : [`one of ${argChoices.join(', ')}`]),
    ...(usual === undefined || description.includes('(default') ? [] : [`default: ${usual}`]),
    ...(mandatory === true ? ['required'] : []),
  ]
  return notes.length === 0 ? description : `${description} (${notes.join('; ')})`.trim()
}

type Described = Pick<Option | Argument, 'description' | 'argChoices'> &
  Partial<Pick<Option, 'mandatory'>> & { defaultValue?: unknown; defaultValueDescription?: string }

const shownDefault = (value: unknown): string | undefined =>
  value === undefined || value === false || (Array.isArray(value) && value.length === 0)
    ? undefined
    : String(value)

/** What the help says after the options: examples. */
function more(command: Command): string {
  let text = ''
  const emitter = command as unknown as EventEmitter
  emitter.emit('afterHelp', { error: false, command, write: (part: string) => void (text += part) })
  return text.trim() === '' ? '' : `\n\`\`\`text\n${text.trim()}\n\`\`\`\n`
}
