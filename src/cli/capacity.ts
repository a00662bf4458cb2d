/** headrace slots and capacity: total and booked capacity, and when it will be full. */
import type { Command } from 'commander'
import type { Client } from './client.ts'
import { dryRunOf } from './dry-run.ts'
import { wholeNumber } from './options.ts'
import type { Output } from './output.ts'
import { showList, type Body } from './service-output.ts'

export function addSlots(program: Command, client: Client, output: () => Output): void {
  program
    .command('slots')
    .description('show capacity over time: total and booked')
    .option('--namespace <name>', 'show this namespace only')
    .option('--hours <n>', 'hours to show, from now on', wholeNumber, 4)
    .action(async (flags: { namespace?: string; hours: number }) =>
      showList(
        output(),
        await client.call('GET', '/slots', { query: { namespace: flags.namespace, hours: flags.hours } }),
        [
          'namespace',
          'time_slot',
          'slot_duration_minutes',
          'total_cpu_capacity',
          'allocated_cpu',
          'total_memory_capacity',
          'allocated_memory',
        ],
        'No slots. Check that a scheduler runs (headrace serve).',
      ),
    )
}

export function addCapacity(program: Command, client: Client, output: () => Output): void {
  const capacity = program
    .command('capacity')
    .description('show, set and plan the capacity of the installation')
  const changing = dryRunOf(client, output)
  const show = (body: { namespaces: Record<string, Body>; machine: Body; overcommit: Body }): void => {
    const out = output()
    if (out.format === 'json') return out.object(body)
    out.rows(Object.entries(body.namespaces).map(([namespace, offer]) => ({ namespace, ...offer })))
    out.say(
      `This machine has ${String(body.machine.cpu_cores)} cores and ${String(body.machine.memory_gb)} GB. The namespaces offer ${String(body.overcommit.cpu)} times its cores and ${String(body.overcommit.memory)} times its memory.`,
    )
  }
  capacity
    .command('show')
    .description('show the capacity of each namespace')
    .action(async () => show(await client.call('GET', '/capacity')))
  changing(capacity.command('set <namespace>'))
    .description('set the capacity of a namespace; existing bookings stay')
    .requiredOption('--cores <n>', 'CPU cores', wholeNumber)
    .requiredOption('--memory-gb <n>', 'memory in GB', wholeNumber)
    .action(async (namespace: string, flags: { cores: number; memoryGb: number }) =>
      show(
        await client.call('PUT', '/capacity', {
          body: { [namespace]: { cpu_cores: flags.cores, memory_gb: flags.memoryGb } },
        }),
      ),
    )
  capacity
    .command('plan')
    .description('forecast when a namespace will be full, and suggest better purchases for tenants')
    .option('--days <n>', 'days to forecast', wholeNumber, 90)
    .action(async (flags: { days: number }) => {
      const plan = await client.call<{ namespaces: Body[]; advice: Body[] }>('GET', '/capacity/plan', {
        query: { days: flags.days },
      })
      const out = output()
      if (out.format === 'json') return out.object(plan)
      out.rows(plan.namespaces)
      if (plan.advice.length > 0)
        out.rows(
          plan.advice.map((suggestion) =>
            Object.fromEntries(Object.entries(suggestion).filter(([name]) => name !== 'tenant_id')),
          ),
        )
    })
}
