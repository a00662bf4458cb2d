/** headrace webhooks: sends events to a URL or by mail. */
import type { Command } from 'commander'
import { ALERTS } from '../core/service/alerts.ts'
import type { Client } from './client.ts'
import { TENANT, repeatable } from './options.ts'
import { dryRunOf } from './dry-run.ts'
import type { Output } from './output.ts'
import { showList, showOne } from './service-output.ts'

interface Of {
  tenant?: string
  allTenants?: boolean
}

const ALL_TENANTS: [string, string] = [
  '--all-tenants',
  'events of all tenants and of the service (for an operator)',
]
const COLUMNS = ['webhook_id', 'url', 'events', 'failures', 'last_error']

export function addWebhooks(program: Command, client: Client, output: () => Output): void {
  const webhooks = program.command('webhooks').description('send events to a URL or by mail')
  const changing = dryRunOf(client, output)
  const path = async (flags: Of): Promise<string> =>
    flags.allTenants === true ? '/webhooks' : `/tenants/${await client.tenant(flags.tenant)}/webhooks`
  changing(webhooks.command('add <url>'))
    .description('send events to a URL (POST) or to mailto:ADDRESS; failed deliveries are retried')
    .addOption(repeatable('--event <name>', 'event to send, * for all', ALERTS.join(', ')))
    .option('--secret <name>', 'secret of the tenant; its field `key` signs each delivery')
    .option(...TENANT)
    .option(...ALL_TENANTS)
    .addHelpText(
      'after',
      '\nExamples:\n  headrace webhooks add https://example.com/hook --tenant acme --event "*"\n  headrace webhooks add mailto:ops@example.com --all-tenants',
    )
    .action(async (url: string, flags: Of & { event: string[]; secret?: string }) =>
      showOne(
        output(),
        await client.call('POST', await path(flags), {
          body: {
            url,
            events: flags.event.length === 0 ? ALERTS : flags.event,
            ...(flags.secret === undefined ? {} : { secret_name: flags.secret }),
          },
        }),
      ),
    )
  webhooks
    .command('list')
    .description('list webhooks and their last errors')
    .option(...TENANT)
    .option(...ALL_TENANTS)
    .action(async (flags: Of) =>
      showList(
        output(),
        await client.call('GET', await path(flags)),
        COLUMNS,
        'No webhooks. To add one, see headrace webhooks add --help.',
      ),
    )
  changing(webhooks.command('delete <id>'))
    .description('delete a webhook')
    .option(...TENANT)
    .option(...ALL_TENANTS)
    .action(async (id: string, flags: Of) => {
      await client.call('DELETE', `${await path(flags)}/${id}`)
      output().object({ webhook_id: id, deleted: true })
    })
}
