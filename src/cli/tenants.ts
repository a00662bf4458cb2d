/** headrace tenants: the tenants of the service, and their tokens. */
import { Option, type Command } from 'commander'
import type { Client } from './client.ts'
import { failure } from '../core/errors.ts'
import { wholeNumber } from './options.ts'
import { dryRunOf } from './dry-run.ts'
import type { Output } from './output.ts'
import { showList, showOne } from './service-output.ts'

interface PolicyFlags {
  overage?: string
  lends?: string
  requestsPerMinute?: number
}

const withPolicy = (command: Command): Command =>
  command
    .addOption(
      new Option(
        '--overage <policy>',
        'when a run uses more than its hold and no balance is left: stop it (default), or let it run into debt',
      ).choices(['stop', 'debt']),
    )
    .addOption(
      new Option('--lends <yes|no>', 'let others use its idle dedicated units').choices(['yes', 'no']),
    )
    .option('--requests-per-minute <n>', 'limit of API requests per minute', wholeNumber)

/** The given parts of the policy, for a body. Nothing if none is given. */
function policyOf({ overage, lends, requestsPerMinute }: PolicyFlags): { policy?: object } {
  const policy = {
    ...(overage === undefined ? {} : { overage }),
    ...(lends === undefined ? {} : { lends: lends === 'yes' }),
    ...(requestsPerMinute === undefined ? {} : { requests_per_minute: requestsPerMinute }),
  }
  return Object.keys(policy).length === 0 ? {} : { policy }
}

export function addTenants(program: Command, client: Client, output: () => Output): void {
  const tenants = program.command('tenants').description('manage tenants and their tokens')
  const changing = dryRunOf(client, output)
  withPolicy(changing(tenants.command('add <name>')).description('create a tenant')).action(
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
        'No tenants. To create one: headrace tenants add NAME',
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
      new Option('--status <status>', 'new status; deleted cannot be undone').choices([
        'active',
        'suspended',
        'deleted',
      ]),
    )
    .option('--rename <name>', 'new name')
  withPolicy(change).action(
    async (name: string, flags: PolicyFlags & { status?: string; rename?: string }) => {
      const body = {
        ...(flags.status === undefined ? {} : { status: flags.status }),
        ...(flags.rename === undefined ? {} : { tenant_name: flags.rename }),
        ...policyOf(flags),
      }
      if (Object.keys(body).length === 0)
        throw failure('usage', { reason: 'Nothing to change. Give at least one option; --help lists them' })
      showOne(output(), await client.call('PATCH', `/tenants/${await client.tenant(name)}`, { body }))
    },
  )
  addToken(tenants, client, output)
}

function addToken(tenants: Command, client: Client, output: () => Output): void {
  const changing = dryRunOf(client, output)
  changing(tenants.command('token <name>'))
    .description('create a token for a tenant; it is shown once')
    .addOption(
      new Option('--as <role>', 'role of the token').choices(['owner', 'editor', 'viewer']).default('editor'),
    )
    .option('--label <text>', 'name of the token in the audit log', 'cli')
    .action(async (name: string, flags: { as: string; label: string }) =>
      showOne(
        output(),
        await client.call('POST', `/tenants/${await client.tenant(name)}/tokens`, {
          body: { token_name: flags.label, role: flags.as },
        }),
      ),
    )
}
