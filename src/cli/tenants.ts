/** headrace tenants, purchases, usage and secrets: what a tenant is, has bought and keeps secret. */
import { randomUUID } from 'node:crypto'
import { InvalidArgumentError, Option, type Command } from 'commander'
import type { Client } from '../control/client.ts'
import { failure } from '../core/errors.ts'
import { TIME_PERIODS, periodStart, type TimePeriod } from '../core/periods.ts'
import { jsonFile, wholeNumber } from './options.ts'
import { dryRunOf } from './dry-run.ts'
import type { Output } from './output.ts'
import { showList, showOne, type Body } from './service-output.ts'

export const TENANT: [string, string] = [
  '--tenant <name>',
  'name or id of the tenant, when there are several',
]

interface Of {
  tenant?: string
}

interface PolicyFlags {
  overage?: string
  lends?: string
  requestsPerMinute?: number
}

const withPolicy = (command: Command): Command =>
  command
    .addOption(
      new Option('--overage <policy>', 'what happens to a run that outruns its hold').choices([
        'stop',
        'debt',
      ]),
    )
    .addOption(
      new Option('--lends <yes|no>', 'whether others may use its idle dedicated units').choices([
        'yes',
        'no',
      ]),
    )
    .option('--requests-per-minute <n>', 'limit of API requests', wholeNumber)

/** What was said of the policy, for a body; nothing when nothing was said. */
function policyOf({ overage, lends, requestsPerMinute }: PolicyFlags): { policy?: object } {
  const policy = {
    ...(overage === undefined ? {} : { overage }),
    ...(lends === undefined ? {} : { lends: lends === 'yes' }),
    ...(requestsPerMinute === undefined ? {} : { requests_per_minute: requestsPerMinute }),
  }
  return Object.keys(policy).length === 0 ? {} : { policy }
}

export function addTenants(program: Command, client: Client, output: () => Output): void {
  const tenants = program.command('tenants').description('tenants of the service and their tokens')
  const changing = dryRunOf(client, output)
  withPolicy(changing(tenants.command('add <name>')).description('make a tenant')).action(
    async (name: string, flags: PolicyFlags) =>
      showOne(
        output(),
        await client.call('POST', '/tenants', { body: { tenant_name: name, ...policyOf(flags) } }),
      ),
  )
  tenants
    .command('list')
    .description('list tenants')
    .action(async () =>
      showList(
        output(),
        await client.list('/tenants'),
        ['tenant_name', 'tenant_id', 'status', 'created_at'],
        'No tenants; make one with headrace tenants add NAME.',
      ),
    )
  tenants
    .command('show [name]')
    .description('show a tenant')
    .action(async (name?: string) =>
      showOne(output(), await client.call('GET', `/tenants/${await client.tenant(name)}`)),
    )
  const change = changing(tenants.command('change <name>'))
    .description('change a tenant')
    .addOption(
      new Option('--status <status>', 'deleted is for good').choices(['active', 'suspended', 'deleted']),
    )
    .option('--rename <name>', 'a new name')
  withPolicy(change).action(
    async (name: string, flags: PolicyFlags & { status?: string; rename?: string }) => {
      const body = {
        ...(flags.status === undefined ? {} : { status: flags.status }),
        ...(flags.rename === undefined ? {} : { tenant_name: flags.rename }),
        ...policyOf(flags),
      }
      if (Object.keys(body).length === 0)
        throw failure('usage', { reason: 'nothing to change; see the options in --help' })
      showOne(output(), await client.call('PATCH', `/tenants/${await client.tenant(name)}`, { body }))
    },
  )
  changing(tenants.command('token <name>'))
    .description('make a token for a tenant; it is shown once')
    .addOption(
      new Option('--as <role>', 'what it may do').choices(['owner', 'editor', 'viewer']).default('editor'),
    )
    .option('--label <text>', 'for the audit log', 'cli')
    .action(async (name: string, flags: { as: string; label: string }) =>
      showOne(
        output(),
        await client.call('POST', `/tenants/${await client.tenant(name)}/tokens`, {
          body: { token_name: flags.label, role: flags.as },
        }),
      ),
    )
}

export function addPurchases(program: Command, client: Client, output: () => Output): void {
  const purchases = program.command('purchases').description('what a tenant has bought')
  const changing = dryRunOf(client, output)
  changing(purchases.command('add'))
    .description('buy dedicated units or vCPU-hours')
    .addOption(
      new Option('--type <type>', 'a dedicated unit is 4 CPU and 8 GB')
        .choices(['dedicated_units', 'vcpu_hours'])
        .makeOptionMandatory(),
    )
    .requiredOption('--quantity <n>', 'per period', wholeNumber)
    .addOption(new Option('--period <period>', 'length of a period').choices(TIME_PERIODS).default('monthly'))
    .option('--from <time>', 'start, like 2026-12-01 or 2026-12-01T00:00:00Z; now when not given', time)
    .option('--until <time>', 'end; one period after the start when not given', time)
    .option('--key <text>', 'the same key again gives the first answer again, and buys nothing')
    .option(...TENANT)
    .addHelpText(
      'after',
      '\nExamples:\n  headrace purchases add --type vcpu_hours --quantity 1000\n  headrace purchases add --type dedicated_units --quantity 2 --period daily --from 2027-01-01 --until 2027-01-08',
    )
    .action(
      async (
        flags: Of & {
          type: string
          quantity: number
          period: TimePeriod
          from?: Date
          until?: Date
          key?: string
        },
      ) => {
        const from = flags.from ?? new Date()
        const body = {
          resource_type: flags.type,
          quantity: flags.quantity,
          time_period: flags.period,
          valid_from: from.toISOString(),
          valid_until: (flags.until ?? periodStart(from, flags.period, 1)).toISOString(),
        }
        showOne(
          output(),
          await client.call('POST', `/tenants/${await client.tenant(flags.tenant)}/purchases`, {
            body,
            key: flags.key ?? randomUUID(),
          }),
        )
      },
    )
  purchases
    .command('list')
    .description('list purchases')
    .option(...TENANT)
    .action(async (flags: Of) =>
      showList(
        output(),
        await client.list(`/tenants/${await client.tenant(flags.tenant)}/purchases`),
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
        'Nothing was bought; see headrace purchases add --help.',
      ),
    )
  changing(purchases.command('cancel <id>'))
    .description('end a purchase; what is left of it is gone')
    .option(...TENANT)
    .action(async (id: string, flags: Of) =>
      showOne(
        output(),
        await client.call('POST', `/tenants/${await client.tenant(flags.tenant)}/purchases/${id}/cancel`),
      ),
    )
  program
    .command('usage')
    .description('what is bought, used and left; --ledger shows the entries behind it')
    .option('--ledger', 'entries of the ledger, newest first')
    .option('--execution <id>', 'with --ledger: only entries of this execution')
    .option(...TENANT)
    .action(async (flags: Of & { ledger?: boolean; execution?: string }) => {
      const tenant = await client.tenant(flags.tenant)
      if (flags.ledger === true)
        return showList(
          output(),
          await client.list(`/tenants/${tenant}/ledger`, {
            query: { execution_id: flags.execution },
            limit: flags.execution === undefined ? 200 : undefined,
          }),
          ['at', 'act', 'debit', 'credit', 'vcpu_hours', 'execution_id', 'purchase_id'],
          'No entries.',
        )
      const body = await client.call<Body & { current_period: Record<string, Body> }>(
        'GET',
        `/tenants/${tenant}/usage`,
      )
      if (output().format === 'json') output().object(body)
      else
        output().rows(
          Object.entries(body.current_period).map(([resource, figures]) => ({ resource, ...figures })),
        )
    })
}

export function addSecrets(program: Command, client: Client, output: () => Output): void {
  const secrets = program
    .command('secrets')
    .description('logins of sources and destinations; they can be stored, never read')
  const changing = dryRunOf(client, output)
  changing(secrets.command('set <name>'))
    .description('store a secret: fields like username and password, from a JSON file or standard input')
    .option('--from-file <path>', 'JSON object with text fields (- for standard input)', '-')
    .option(...TENANT)
    .addHelpText(
      'after',
      '\nExample:\n  echo \'{"username":"reader","password":"..."}\' | headrace secrets set pg-secret',
    )
    .action(async (name: string, flags: Of & { fromFile: string }) => {
      const value = jsonFile(flags.fromFile)
      await client.call(
        'PUT',
        `/tenants/${await client.tenant(flags.tenant)}/secrets/${encodeURIComponent(name)}`,
        { body: { value } },
      )
      output().object({ name, stored: true })
    })
  secrets
    .command('list')
    .description('names of secrets')
    .option(...TENANT)
    .action(async (flags: Of) =>
      showList(
        output(),
        await client.call('GET', `/tenants/${await client.tenant(flags.tenant)}/secrets`),
        ['name'],
        'No secrets.',
      ),
    )
  changing(secrets.command('delete <name>'))
    .description('delete a secret')
    .option(...TENANT)
    .action(async (name: string, flags: Of) => {
      await client.call(
        'DELETE',
        `/tenants/${await client.tenant(flags.tenant)}/secrets/${encodeURIComponent(name)}`,
      )
      output().object({ name, deleted: true })
    })
}

function time(text: string): Date {
  const at = new Date(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text)
  if (Number.isNaN(at.getTime()))
    throw new InvalidArgumentError('It must be a time like 2026-12-01 or 2026-12-01T06:00:00Z.')
  return at
}
