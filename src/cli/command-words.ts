/** The commands of the program as words, with what may follow each of them. */
import type { Command } from 'commander'

/** What may follow a command. */
export interface Completion {
  /** The words of the command, without the program's name: `jobs create`; empty for the program itself. */
  at: string
  commands: Word[]
  options: CompletedOption[]
  /** The choices of its first argument. */
  choices: string[]
  /** Whether an argument may be a file. */
  takesFiles: boolean
}

export interface Word {
  name: string
  description: string
}

export interface CompletedOption {
  /** `--file`, `-f`. */
  flags: string[]
  description: string
  value: 'none' | 'text' | 'file' | string[]
}

/** Every command with what may follow it. The program itself comes first. */
export function completionsOf(command: Command, words: string[] = []): Completion[] {
  const help = command.createHelp()
  const commands = help.visibleCommands(command)
  const first = command.registeredArguments.at(0)
  const own: Completion = {
    at: words.join(' '),
    commands: commands.map((subcommand) => ({
      name: subcommand.name(),
      description: subcommand.description(),
    })),
    options: help.visibleOptions(command).map((option) => ({
      flags: [option.long, option.short].filter((flag) => flag !== undefined && flag !== null),
      description: option.description,
      value: option.argChoices ?? valueOf(option.flags),
    })),
    choices: first?.argChoices ?? [],
    takesFiles: command.registeredArguments.some((argument) => isFile(argument.name())),
  }
  const below = command.commands.flatMap((child) => completionsOf(child, [...words, child.name()]))
  return [own, ...below]
}

const isFile = (name: string): boolean => /file|path|folder|dataset/.test(name)

function valueOf(flags: string): 'none' | 'text' | 'file' {
  const [, name] = /[<[](.+)[>\]]/.exec(flags) ?? []
  if (name === undefined) return 'none'
  return isFile(name) ? 'file' : 'text'
}
