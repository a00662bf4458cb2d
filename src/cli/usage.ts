/** headrace usage: what a tenant bought, used and has left, and the ledger entries behind it. */
import type { Command } from 'commander'
import type { Client } from './client.ts'
import { TENANT, type OfTenant } from './options.ts'
import type { Output } from './output.ts'
import { showList, type Body } from './service-output.ts'

interface UsageFlags extends OfTenant {
  ledger?: boolean
  execution?: string
}

export function addUsage(program: Command, client: Client, output: () => Output): void {
  program
    .command('usage')
    .description('show what a tenant bought, used and has left')
    .option('--ledger', 'show the ledger entries instead, newest first')
    .option('--execution <id>', 'with --ledger: only the entries of this execution')
    .option(...TENANT)
    .action(async ({ ledger, execution, tenant }: UsageFlags) => {
      const path = `/tenants/${await client.tenant(tenant)}`
      if (ledger === true) return showLedger(client, output(), path, execution)
      const body = await client.call<Body & { current_period: Record<string, Body> }>('GET', `${path}/usage`)
      if (output().format === 'json') output().object(body)
      else
        output().rows(
          Object.entries(body.current_period).map(([resource, figures]) => ({ resource, ...figures })),
        )
    })
}

async function showLedger(
  client: Client,
  out: Output,
  tenantPath: string,
  execution?: string,
): Promise<void> {
  const found = await client.list(`${tenantPath}/ledger`, {
    query: { execution_id: execution },
    // Show all entries of one execution: they must visibly add up.
    limit: execution === undefined ? 200 : undefined,
  })
  showList(
    out,
    found,
    ['at', 'act', 'debit', 'credit', 'vcpu_hours', 'execution_id', 'purchase_id'],
    'No entries.',
  )
}
