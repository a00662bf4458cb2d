/**
 * `--dry-run` for commands that change something through the service: it makes all checks and shows the
 * answer, but changes nothing.
 */
import type { Command } from 'commander'
import type { Client } from './client.ts'
import type { Output } from './output.ts'

/** Adds the option to a command. */
export function dryRunOf(client: Client, output: () => Output): (command: Command) => Command {
  return (command) => {
    const dry = (): boolean => command.opts<{ dryRun?: boolean }>().dryRun === true
    return command
      .option('--dry-run', 'check everything and show the result, but change nothing')
      .hook('preAction', () => void (dry() && client.rehearse()))
      .hook('postAction', () => void (dry() && output().say('Dry run: nothing was changed.')))
  }
}
