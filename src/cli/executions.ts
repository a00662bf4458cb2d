/** headrace executions and why: the runs of jobs, and why one waits, is late, failed or cost what it did. */
import type { Command } from 'commander'
import type { Client } from './client.ts'
import { failure } from '../core/errors.ts'
import { isId } from '../core/service/nouns.ts'
import { dryRunOf } from './dry-run.ts'
import { jobId } from './job-name.ts'
import { TENANT, wholeNumber, type OfTenant } from './options.ts'
import type { Output } from './output.ts'
import { showList, showOne } from './service-output.ts'

/** The columns of one execution that people look at. */
export const EXECUTION = [
  'execution_id',
  'status',
  'namespace',
  'scheduled_time',
  'booked_from',
  'actual_start_time',
  'actual_end_time',
  'sla_met',
  'resource_used',
  'receipt',
  'reason',
  'error_message',
]

/** The columns of a list, where a row must fit a terminal. */
const COLUMNS = [
  'execution_id',
  'status',
  'namespace',
  'scheduled_time',
  'actual_start_time',
  'actual_end_time',
  'sla_met',
  'resource_used.vcpu_hours',
  'reason.code',
]

export function addExecutions(program: Command, client: Client, output: () => Output): void {
  const executions = program.command('executions').description('show the runs of jobs: status, log, receipt')
  addList(executions, client, output)
  addShow(executions, client, output)
  addLog(executions, client, output)
  addCancel(executions, client, output)
}

export function addWhy(program: Command, client: Client, output: () => Output): void {
  program
    .command('why <execution>')
    .description(
      'explain why an execution waits, is late, failed or cost what it did; give its ID, or a job name for the newest execution',
    )
    .option(...TENANT)
    .action(async (id: string, flags: OfTenant) =>
      showOne(output(), await client.call('GET', `${await pathOf(client, flags, id)}/why`)),
    )
}

function addList(executions: Command, client: Client, output: () => Output): void {
  executions
    .command('list')
    .description('list executions, newest first')
    .option('--job <job>', 'only executions of this job')
    .option('--status <status>', 'only executions with this status')
    .option('--limit <n>', 'number of executions to show', wholeNumber, 50)
    .option(...TENANT)
    .action(async (flags: OfTenant & { job?: string; status?: string; limit: number }) => {
      const found = await client.list(await allPath(client, flags), {
        query: {
          status: flags.status,
          job_id: flags.job === undefined ? undefined : await jobId(client, flags, flags.job),
        },
        limit: flags.limit,
      })
      showList(output(), found, COLUMNS, 'No executions.')
    })
}

function addShow(executions: Command, client: Client, output: () => Output): void {
  executions
    .command('show <execution>')
    .description('show an execution and its receipt; give its ID, or a job name for the newest execution')
    .option(...TENANT)
    .action(async (id: string, flags: OfTenant) =>
      showOne(output(), await client.call('GET', await pathOf(client, flags, id)), EXECUTION),
    )
}

function addLog(executions: Command, client: Client, output: () => Output): void {
  executions
    .command('log <execution>')
    .description('show the newest part of the log')
    .option(...TENANT)
    .action(async (id: string, flags: OfTenant) => {
      const body = await client.call<{ log: string }>('GET', `${await pathOf(client, flags, id)}/log`)
      if (output().format === 'json') output().object({ ...body })
      else output().text(body.log)
    })
}

function addCancel(executions: Command, client: Client, output: () => Output): void {
  const changing = dryRunOf(client, output)
  changing(executions.command('cancel <id>'))
    .description('cancel an execution')
    .option(...TENANT)
    .action(async (id: string, flags: OfTenant) =>
      showOne(output(), await client.call('POST', `${await allPath(client, flags)}/${id}/cancel`), EXECUTION),
    )
}

async function allPath(client: Client, { tenant }: OfTenant): Promise<string> {
  return `/tenants/${await client.tenant(tenant)}/executions`
}

/** An execution by its ID, or the newest of a job by the job's name: who asks why knows the job. */
async function pathOf(client: Client, flags: OfTenant, execution: string): Promise<string> {
  const all = await allPath(client, flags)
  if (isId(execution)) return `${all}/${execution}`
  const {
    items: [newest],
  } = await client.call<{ items: { execution_id: string }[] }>('GET', all, {
    query: { limit: 1, job_id: await jobId(client, flags, execution) },
  })
  if (newest === undefined)
    throw failure('not_found', {
      what: 'execution of the job',
      id: execution,
      list: 'headrace executions list',
    })
  return `${all}/${newest.execution_id}`
}
