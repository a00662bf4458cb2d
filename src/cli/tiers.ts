/** headrace tiers: what the operator promises under a name. */
import type { Command } from 'commander'
import type { Client } from './client.ts'
import { dryRunOf } from './dry-run.ts'
import { jsonFile } from './options.ts'
import type { Output } from './output.ts'
import type { Body } from './service-output.ts'

export function addTiers(program: Command, client: Client, output: () => Output): void {
  const tiers = program
    .command('tiers')
    .description('tiers of service: promises under a name, for "tier" in a job\'s sla_requirements')
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
        'No tiers; see headrace tiers set --help.',
      )
  }
  tiers
    .command('list')
    .description('list them')
    .action(async () => show(await client.call('GET', '/sla-tiers')))
  dryRunOf(
    client,
    output,
  )(tiers.command('set'))
    .description('set all of them, from a JSON file; jobs that are there keep what they took over')
    .requiredOption('-f, --file <path>', 'the tiers (- for standard input)')
    .addHelpText(
      'after',
      '\nExample of a file:\n  { "gold": { "priority": "high", "max_runtime_minutes": 60 }, "live": { "priority": "high", "max_freshness_seconds": 30 } }',
    )
    .action(async ({ file }: { file: string }) =>
      show(await client.call('PUT', '/sla-tiers', { body: { tiers: jsonFile(file) } })),
    )
}
