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
    .description('show or set the price list: prices in cents, and discounts')
  prices
    .command('show')
    .description('show the current price list')
    .action(async () => showOne(output(), await client.call('GET', '/prices')))
  dryRunOf(
    client,
    output,
  )(prices.command('set'))
    .description('set a new price list; earlier purchases keep their price')
    .requiredOption(
      '-f, --file <path>',
      'JSON file of the list (- for standard input), in the format of headrace prices show -o json',
    )
    .action(async ({ file }: { file: string }) =>
      showOne(output(), await client.call('PUT', '/prices', { body: jsonFile(file) })),
    )
}
