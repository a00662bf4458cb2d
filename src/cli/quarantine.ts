/** headrace quarantine: rejected records, why, and healing them. */
import type { Command } from 'commander'
import type { App } from '../operations/app.ts'
import { wholeNumber } from './options.ts'
import type { Output } from './output.ts'

export function addQuarantine(program: Command, app: App, output: () => Output): void {
  const quarantine = program
    .command('quarantine')
    .description('look at rejected records; replay them after mending the declaration')
  const rule = '--rule <rule>'
  quarantine
    .command('list <dataset>')
    .description('newest first')
    .option(rule, 'only this rule, e.g. type or type.integer')
    .option('--limit <n>', 'how many', wholeNumber, 20)
    .action(async (dataset: string, flags: { rule?: string; limit: number }) =>
      output().rows(
        await app.listQuarantine(dataset, { rule: flags.rule, limit: flags.limit }),
        'Nothing is quarantined.',
      ),
    )
  quarantine
    .command('show <dataset> <position>')
    .description('one record with its original bytes; positions are in the list')
    .action(async (dataset: string, position: string) =>
      output().object(await app.showQuarantined(dataset, position)),
    )
  quarantine
    .command('export <dataset> <folder>')
    .description('write the original bytes, one file a record')
    .option(rule, 'only this rule')
    .option('--limit <n>', 'how many', wholeNumber, 1_000)
    .action(async (dataset: string, folder: string, flags: { rule?: string; limit: number }) =>
      output().object({
        ...(await app.exportQuarantine(dataset, folder, { rule: flags.rule, limit: flags.limit })),
      }),
    )
  quarantine
    .command('replay <dataset>')
    .description(
      'decode the original bytes with the declaration of today; what is right becomes accepted, in one commit',
    )
    .option(rule, 'only this rule')
    .option('--dry-run', 'only say what would happen')
    .action(async (dataset: string, flags: { rule?: string; dryRun?: boolean }) =>
      output().object({
        ...(await app.replayQuarantine(dataset, { rule: flags.rule, dryRun: flags.dryRun === true })),
      }),
    )
}
