/** headrace quarantine: rejected records, the reasons, and their replay. */
import type { Command } from 'commander'
import type { App } from '../operations/app.ts'
import { wholeNumber } from './options.ts'
import type { Output } from './output.ts'

export function addQuarantine(program: Command, app: App, output: () => Output): void {
  const quarantine = program
    .command('quarantine')
    .description('list rejected records, and replay them after fixing the declaration')
  const rule = '--rule <rule>'
  quarantine
    .command('list <dataset>')
    .description('list rejected records and the reasons, newest first')
    .option(rule, 'only records of this rule, e.g. type or type.integer')
    .option('--limit <n>', 'number of records to show', wholeNumber, 20)
    .action(async (dataset: string, flags: { rule?: string; limit: number }) =>
      output().rows(
        await app.listQuarantine(dataset, { rule: flags.rule, limit: flags.limit }),
        'No rejected records.',
      ),
    )
  quarantine
    .command('show <dataset> <position>')
    .description('show one record with its original bytes; the list has its position')
    .action(async (dataset: string, position: string) =>
      output().object(await app.showQuarantined(dataset, position)),
    )
  quarantine
    .command('export <dataset> <folder>')
    .description('write the original bytes to a folder, one file per record')
    .option(rule, 'only records of this rule')
    .option('--limit <n>', 'number of records to write', wholeNumber, 1_000)
    .action(async (dataset: string, folder: string, flags: { rule?: string; limit: number }) =>
      output().object({
        ...(await app.exportQuarantine(dataset, folder, { rule: flags.rule, limit: flags.limit })),
      }),
    )
  quarantine
    .command('replay <dataset>')
    .description(
      'decode rejected records with the current declaration; valid ones become accepted, in one commit',
    )
    .option(rule, 'only records of this rule')
    .option('--dry-run', 'show what would change, but change nothing')
    .action(async (dataset: string, flags: { rule?: string; dryRun?: boolean }) =>
      output().object({
        ...(await app.replayQuarantine(dataset, { rule: flags.rule, dryRun: flags.dryRun === true })),
      }),
    )
}
