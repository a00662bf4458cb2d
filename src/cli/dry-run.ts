/**
 * `--dry-run` of verbs that change something through the service: it checks all that it would and answers as
 * it would.
 */
import type { Command } from 'commander'
import type { Client } from './client.ts'
import type { Output } from './output.ts'

/** Gives a verb the option. */
export function dryRunOf(client: Client, output: () => Output): (command: Command) => Command {
  return (command) => {
    const dry = (): boolean => command.opts<{ dryRun?: boolean }>().dryRun === true
    return command
      .option('--dry-run', 'check everything and show the result, but change nothing')
      .hook('preAction', () => void (dry() && client.rehearse()))
      .hook('postAction', () => void (dry() && output().say('Dry run: nothing was changed.')))
  }
}
