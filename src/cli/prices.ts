/** headrace prices: what a unit and a vCPU-hour cost. */
import type { Command } from 'commander'
import type { Client } from './client.ts'
import { dryRunOf } from './dry-run.ts'
import { jsonFile } from './options.ts'
import type { Output } from './output.ts'
import { showOne } from './service-output.ts'

export function addPrices(program: Command, client: Client, output: () => Output): void {
  const prices = program
    .command('prices')
    .description('the price list: cents of a unit and a vCPU-hour, and discounts')
  prices
    .command('show')
    .description('the list that holds now')
    .action(async () => showOne(output(), await client.call('GET', '/prices')))
  dryRunOf(
    client,
    output,
  )(prices.command('set'))
    .description('set a new list; what was bought keeps its price')
    .requiredOption(
      '-f, --file <path>',
      'the list (- for standard input), as headrace prices show -o json gives it',
    )
    .action(async ({ file }: { file: string }) =>
      showOne(output(), await client.call('PUT', '/prices', { body: jsonFile(file) })),
    )
}
