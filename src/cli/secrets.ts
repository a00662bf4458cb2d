/** headrace secrets: logins that a tenant's sources and destinations need. */
import type { Command } from 'commander'
import type { Client } from './client.ts'
import { dryRunOf } from './dry-run.ts'
import { TENANT, jsonFile, type OfTenant } from './options.ts'
import type { Output } from './output.ts'
import { showList } from './service-output.ts'

export function addSecrets(program: Command, client: Client, output: () => Output): void {
  const secrets = program
    .command('secrets')
    .description('store the logins of sources and destinations; stored values are never shown')
  const changing = dryRunOf(client, output)
  changing(secrets.command('set <name>'))
    .description('store a secret (fields such as username and password) from a JSON file or standard input')
    .option('--from-file <path>', 'JSON object with text fields (- for standard input)', '-')
    .option(...TENANT)
    .addHelpText(
      'after',
      '\nExample:\n  echo \'{"username":"reader","password":"..."}\' | headrace secrets set pg-secret',
    )
    .action(async (name: string, flags: OfTenant & { fromFile: string }) => {
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
    .description('list the names of secrets')
    .option(...TENANT)
    .action(async (flags: OfTenant) =>
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
    .action(async (name: string, flags: OfTenant) => {
      await client.call(
        'DELETE',
        `/tenants/${await client.tenant(flags.tenant)}/secrets/${encodeURIComponent(name)}`,
      )
      output().object({ name, deleted: true })
    })
}
