/** headrace promote and demote: moves a job between draft and production. */
import type { Command } from 'commander'
import type { Client } from './client.ts'
import { dryRunOf } from './dry-run.ts'
import { jobPath } from './job-name.ts'
import { TENANT, type OfTenant } from './options.ts'
import type { Output } from './output.ts'
import { showOne } from './service-output.ts'

export function addPromotion(program: Command, client: Client, output: () => Output): void {
  const changing = dryRunOf(client, output)
  changing(program.command('promote <job>'))
    .description('move a draft to production, if its last draft run was fast enough')
    .option(...TENANT)
    .action(async (job: string, flags: OfTenant) =>
      showOne(output(), await client.call('POST', `${await jobPath(client, flags, job)}/promote`)),
    )
  changing(program.command('demote <job>'))
    .description('make a job a draft again')
    .option(...TENANT)
    .action(async (job: string, flags: OfTenant) =>
      showOne(output(), await client.call('POST', `${await jobPath(client, flags, job)}/demote`)),
    )
}
