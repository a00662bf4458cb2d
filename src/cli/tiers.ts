/** headrace tiers: named SLA promises of the operator. */
import type { Command } from 'commander'
import type { Client } from './client.ts'
import { dryRunOf } from './dry-run.ts'
import { jsonFile } from './options.ts'
import type { Output } from './output.ts'
import type { Body } from './service-output.ts'

export function addTiers(program: Command, client: Client, output: () => Output): void {
  const tiers = program
    .command('tiers')
    .description('list and set SLA tiers: named promises for "tier" in the sla_requirements of a job')
  const show = (body: { tiers: Record<string, Body> }): void => {
    if (output().format === 'json') output().object(body)
    else
      output().rows(
        Object.entries(body.tiers).map(
          ([tier, { priority, max_runtime_minutes, max_freshness_seconds }]) => ({
            tier,
            priority,
            max_runtime_minutes,
            max_freshness_seconds,
          }),
        ),
        'No tiers. To define some, see headrace tiers set --help.',
      )
  }
  tiers
    .command('list')
    .description('list the tiers')
    .action(async () => show(await client.call('GET', '/sla-tiers')))
  dryRunOf(
    client,
    output,
  )(tiers.command('set'))
    .description('replace all tiers, from a JSON file; existing jobs keep the promises of their tier')
    .requiredOption('-f, --file <path>', 'JSON file of the tiers (- for standard input)')
    .addHelpText(
      'after',
      '\nExample file:\n  { "gold": { "priority": "high", "max_runtime_minutes": 60 }, "live": { "priority": "high", "max_freshness_seconds": 30 } }',
    )
    .action(async ({ file }: { file: string }) =>
      show(await client.call('PUT', '/sla-tiers', { body: { tiers: jsonFile(file) } })),
    )
}
