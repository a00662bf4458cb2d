/** headrace completion: a script that completes commands, options and choices in a shell. */
import { Argument, type Command } from 'commander'
import { completionsOf } from './command-words.ts'
import { bashCompletion, fishCompletion, zshCompletion } from './completion-scripts.ts'

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('print a script that completes commands and options in your shell')
    .addArgument(new Argument('<shell>', 'your shell').choices(Object.keys(SHELLS)))
    .addHelpText('after', HELP)
    .action((shell: keyof typeof SHELLS) => void process.stdout.write(SHELLS[shell](completionsOf(program))))
}

const HELP = `
Load it in the current shell:
  bash: source <(headrace completion bash)
  zsh:  source <(headrace completion zsh)
  fish: headrace completion fish | source
Put the same line into ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish to have it in every shell.`
