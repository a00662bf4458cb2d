/** headrace purchases: what a tenant has bought. */
import { randomUUID } from 'node:crypto'
import { InvalidArgumentError, Option, type Command } from 'commander'
import type { Client } from './client.ts'
import { TIME_PERIODS, periodStart, type TimePeriod } from '../core/periods.ts'
import { dryRunOf } from './dry-run.ts'
import { TENANT, wholeNumber, type OfTenant } from './options.ts'
import type { Output } from './output.ts'
import { showList, showOne } from './service-output.ts'

interface BuyFlags extends OfTenant {
  type: string
  quantity: number
  period: TimePeriod
  from?: Date
  until?: Date
  key?: string
}

export function addPurchases(program: Command, client: Client, output: () => Output): void {
  const purchases = program.command('purchases').description('buy, list and cancel the capacity of a tenant')
  addBuy(purchases, client, output)
  addList(purchases, client, output)
  addCancel(purchases, client, output)
}

function addBuy(purchases: Command, client: Client, output: () => Output): void {
  const changing = dryRunOf(client, output)
  changing(purchases.command('add'))
    .description('buy dedicated units or vCPU-hours')
    .addOption(
      new Option('--type <type>', 'what to buy; a dedicated unit is 4 CPU cores and 8 GB')
        .choices(['dedicated_units', 'vcpu_hours'])
        .makeOptionMandatory(),
    )
    .requiredOption('--quantity <n>', 'units or vCPU-hours per period', wholeNumber)
    .addOption(new Option('--period <period>', 'length of a period').choices(TIME_PERIODS).default('monthly'))
    .option('--from <time>', 'start, e.g. 2026-12-01 or 2026-12-01T00:00:00Z (default: now)', time)
    .option('--until <time>', 'end, a whole number of periods after the start (default: one period)', time)
    .option('--key <text>', 'idempotency key: a repeated command with the same key buys nothing more')
    .option(...TENANT)
    .addHelpText(
      'after',
      '\nExamples:\n  headrace purchases add --type vcpu_hours --quantity 1000\n  headrace purchases add --type dedicated_units --quantity 2 --period daily --from 2027-01-01 --until 2027-01-08',
    )
    .action(async (flags: BuyFlags) => {
      const asked = { body: purchaseOf(flags), key: flags.key ?? randomUUID() }
      showOne(output(), await client.call('POST', await pathOf(client, flags), asked))
    })
}

function addList(purchases: Command, client: Client, output: () => Output): void {
  purchases
    .command('list')
    .description('list purchases')
    .option(...TENANT)
    .action(async (flags: OfTenant) =>
      showList(
        output(),
        await client.list(await pathOf(client, flags)),
        [
          'purchase_id',
          'resource_type',
          'quantity',
          'time_period',
          'valid_from',
          'valid_until',
          'status',
          'price.total_cents',
          'price.currency',
        ],
        'No purchases. To buy, see headrace purchases add --help.',
      ),
    )
}

function addCancel(purchases: Command, client: Client, output: () => Output): void {
  const changing = dryRunOf(client, output)
  changing(purchases.command('cancel <id>'))
    .description('end a purchase; its remaining vCPU-hours or units are lost')
    .option(...TENANT)
    .action(async (id: string, flags: OfTenant) =>
      showOne(output(), await client.call('POST', `${await pathOf(client, flags)}/${id}/cancel`)),
    )
}

async function pathOf(client: Client, { tenant }: OfTenant): Promise<string> {
  return `/tenants/${await client.tenant(tenant)}/purchases`
}

function purchaseOf({ type, quantity, period, from = new Date(), until }: BuyFlags): object {
  return {
    resource_type: type,
    quantity,
    time_period: period,
    valid_from: from.toISOString(),
    valid_until: (until ?? periodStart(from, period, 1)).toISOString(),
  }
}

function time(text: string): Date {
  const at = new Date(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text)
  if (Number.isNaN(at.getTime()))
    throw new InvalidArgumentError('It must be a time like 2026-12-01 or 2026-12-01T06:00:00Z.')
  return at
}
