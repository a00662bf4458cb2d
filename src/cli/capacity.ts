/** headrace slots and capacity: what there is, what is booked of it, and when it will be short. */
import type { Command } from 'commander'
import type { Client } from './client.ts'
import { dryRunOf } from './dry-run.ts'
import { wholeNumber } from './options.ts'
import type { Output } from './output.ts'
import { showList, type Body } from './service-output.ts'

export function addSlots(program: Command, client: Client, output: () => Output): void {
  program
    .command('slots')
    .description('capacity over time: what is there and what is booked')
    .option('--namespace <name>', 'only of this one')
    .option('--hours <n>', 'how far', wholeNumber, 4)
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
        'No slots; does a scheduler run?',
      ),
    )
}

export function addCapacity(program: Command, client: Client, output: () => Output): void {
  const capacity = program
    .command('capacity')
    .description('what the installation offers, and when it will be short')
  const changing = dryRunOf(client, output)
  const show = (body: { namespaces: Record<string, Body>; machine: Body; overcommit: Body }): void => {
    const out = output()
    if (out.format === 'json') return out.object(body)
    out.rows(Object.entries(body.namespaces).map(([namespace, one]) => ({ namespace, ...one })))
    out.say(
      `This machine has ${String(body.machine.cpu_cores)} cores and ${String(body.machine.memory_gb)} GB: an overcommit of ${String(body.overcommit.cpu)} in cores and ${String(body.overcommit.memory)} in memory.`,
    )
  }
  capacity
    .command('show')
    .description('what each namespace offers')
    .action(async () => show(await client.call('GET', '/capacity')))
  changing(capacity.command('set <namespace>'))
    .description('set what a namespace offers; bookings that are there stay')
    .requiredOption('--cores <n>', 'cores', wholeNumber)
    .requiredOption('--memory-gb <n>', 'memory', wholeNumber)
    .action(async (namespace: string, flags: { cores: number; memoryGb: number }) =>
      show(
        await client.call('PUT', '/capacity', {
          body: { [namespace]: { cpu_cores: flags.cores, memory_gb: flags.memoryGb } },
        }),
      ),
    )
  capacity
    .command('plan')
    .description(
      'when capacity will be short, by its own history, and what tenants could buy instead of what they have',
    )
    .option('--days <n>', 'how far to look', wholeNumber, 90)
    .action(async (flags: { days: number }) => {
      const plan = await client.call<{ namespaces: Body[]; advice: Body[] }>('GET', '/capacity/plan', {
        query: { days: flags.days },
      })
      const out = output()
      if (out.format === 'json') return out.object(plan)
      out.rows(plan.namespaces)
      if (plan.advice.length > 0)
        out.rows(
          plan.advice.map((one) =>
            Object.fromEntries(Object.entries(one).filter(([name]) => name !== 'tenant_id')),
          ),
        )
    })
}
