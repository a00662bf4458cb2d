/** headrace jobs, promote, demote, quote, estimate, executions, why and slots: the life of a job. */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { randomUUID } from 'node:crypto'
import { Option, type Command } from 'commander'
import type { Client } from '../control/client.ts'
import { failure } from '../core/errors.ts'
import { isId } from '../core/service-nouns.ts'
import { dryRunOf } from './dry-run.ts'
import { jsonFile, wholeNumber } from './options.ts'
import type { Output } from './output.ts'
import { showList, showOne, type Body } from './service-output.ts'
import { TENANT } from './tenants.ts'

interface Of {
  tenant?: string
}

const EXECUTION = [
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

export function addJobs(program: Command, client: Client, output: () => Output): void {
  const jobs = program.command('jobs').description('ingestion jobs of a tenant: create, draft, run, pause')
  const changing = dryRunOf(client, output)
  const path = async (flags: Of, name?: string): Promise<string> =>
    `/tenants/${await client.tenant(flags.tenant)}/jobs${name === undefined ? '' : `/${await jobId(client, flags, name)}`}`
  const verb = (command: Command, description: string, act: (at: string, flags: Of) => Promise<void>): void =>
    void command
      .description(description)
      .option(...TENANT)
      .action(async (job: string, flags: Of) => act(await path(flags, job), flags))
  changing(jobs.command('create'))
    .description('create a job from a JSON file; it begins as a draft')
    .requiredOption('-f, --file <path>', 'the job (- for standard input)')
    .option(...TENANT)
    .addHelpText('after', JOB_HELP)
    .action(async (flags: Of & { file: string }) =>
      showOne(
        output(),
        await client.call('POST', await path(flags), { body: bodyOf(flags.file), key: randomUUID() }),
        ['job_id', 'job_name', 'status', 'namespace', 'schedule_cron'],
      ),
    )
  jobs
    .command('list')
    .description('list jobs')
    .option(...TENANT)
    .action(async (flags: Of) =>
      showList(
        output(),
        await client.list(await path(flags)),
        ['job_name', 'job_id', 'source_type', 'status', 'namespace', 'schedule_cron', 'next_run_at'],
        'No jobs; see headrace jobs create --help.',
      ),
    )
  verb(jobs.command('show <job>'), 'show a job', async (at) =>
    showOne(output(), await client.call('GET', at)),
  )
  verb(changing(jobs.command('pause <job>')), 'stop its schedule', async (at) =>
    showOne(output(), await client.call('POST', `${at}/pause`), ['job_name', 'status']),
  )
  verb(changing(jobs.command('resume <job>')), 'take its schedule up again', async (at) =>
    showOne(output(), await client.call('POST', `${at}/resume`), ['job_name', 'status', 'next_run_at']),
  )
  verb(jobs.command('evaluate <job>'), 'what its last draft run says', async (at) =>
    showOne(output(), await client.call('GET', `${at}/evaluation`)),
  )
  verb(changing(jobs.command('delete <job>')), 'delete it and cancel what is open of it', async (at) => {
    await client.call('DELETE', at)
    output().object({ deleted: true })
  })
  changing(jobs.command('change <job>'))
    .description('change fields of a job, from a JSON file that holds only these')
    .requiredOption('-f, --file <path>', 'the fields (- for standard input)')
    .option(...TENANT)
    .action(async (job: string, flags: Of & { file: string }) =>
      showOne(output(), await client.call('PATCH', await path(flags, job), { body: bodyOf(flags.file) })),
    )
  changing(jobs.command('run <job>'))
    .description('queue an execution now; of a draft, on a sample')
    .option('--wait', 'until it has ended; exit code 1 when it did not succeed')
    .option(...TENANT)
    .action(async (job: string, flags: Of & { wait?: boolean; dryRun?: boolean }) => {
      const queued = await client.call('POST', `${await path(flags, job)}/run`, { key: randomUUID() })
      if (flags.wait !== true || flags.dryRun === true) return showOne(output(), queued)
      const ended = await waitFor(
        client,
        await client.tenant(flags.tenant),
        String(queued.execution_id),
        output(),
      )
      showOne(output(), ended, EXECUTION)
      if (ended.status !== 'succeeded') process.exitCode = 1
    })
  changing(program.command('promote <job>'))
    .description('move a draft to production')
    .option(...TENANT)
    .action(async (job: string, flags: Of) =>
      showOne(output(), await client.call('POST', `${await path(flags, job)}/promote`)),
    )
  changing(program.command('demote <job>'))
    .description('move a job back to the drafts')
    .option(...TENANT)
    .action(async (job: string, flags: Of) =>
      showOne(output(), await client.call('POST', `${await path(flags, job)}/demote`)),
    )
  program
    .command('quote')
    .description('what would happen to a job if it were submitted now')
    .requiredOption('-f, --file <path>', 'the job (- for standard input)')
    .option(...TENANT)
    .action(async (flags: Of & { file: string }) =>
      showOne(
        output(),
        await client.call('POST', `/tenants/${await client.tenant(flags.tenant)}/quotes`, {
          body: bodyOf(flags.file),
        }),
      ),
    )
  program
    .command('estimate')
    .description('cores, memory and time that a job will need, and what to buy for it')
    .requiredOption('--source <type>', 'postgres, mysql, s3, files, sftp or kafka')
    .option('--gb <n>', 'data volume in GB', Number)
    .addOption(new Option('--complexity <level>', 'of its transformation').choices(['low', 'medium', 'high']))
    .action(async (flags: { source: string; gb?: number; complexity?: string }) =>
      showOne(
        output(),
        await client.call('POST', '/estimation/calculate', {
          body: {
            source_type: flags.source,
            ...(flags.gb === undefined ? {} : { data_volume_gb: flags.gb }),
            ...(flags.complexity === undefined ? {} : { transformation_complexity: flags.complexity }),
          },
        }),
      ),
    )
}

export function addExecutions(program: Command, client: Client, output: () => Output): void {
  const executions = program.command('executions').description('runs of jobs: state, log, receipt')
  const changing = dryRunOf(client, output)
  const base = async (flags: Of): Promise<string> =>
    `/tenants/${await client.tenant(flags.tenant)}/executions`
  /** An execution by its id, or the newest of a job by the job's name: who asks why knows the job. */
  const one = async (flags: Of, execution: string): Promise<string> => {
    if (isId(execution)) return `${await base(flags)}/${execution}`
    const {
      items: [newest],
    } = await client.call<{ items: { execution_id: string }[] }>('GET', await base(flags), {
      query: { limit: 1, job_id: await jobId(client, flags, execution) },
    })
    if (newest === undefined)
      throw failure('not_found', {
        what: 'execution of the job',
        id: execution,
        list: 'headrace executions list',
      })
    return `${await base(flags)}/${newest.execution_id}`
  }
  executions
    .command('list')
    .description('list executions, newest first')
    .option('--job <job>', 'only of this job')
    .option('--status <status>', 'only in this state')
    .option('--limit <n>', 'how many', wholeNumber, 50)
    .option(...TENANT)
    .action(async (flags: Of & { job?: string; status?: string; limit: number }) =>
      showList(
        output(),
        await client.list(await base(flags), {
          query: {
            status: flags.status,
            job_id: flags.job === undefined ? undefined : await jobId(client, flags, flags.job),
          },
          limit: flags.limit,
        }),
        [
          'execution_id',
          'status',
          'namespace',
          'scheduled_time',
          'actual_start_time',
          'actual_end_time',
          'sla_met',
          'resource_used.vcpu_hours',
          'reason.code',
        ],
        'No executions.',
      ),
    )
  executions
    .command('show <execution>')
    .description('an execution with its receipt, by its id or the name of its job (the newest)')
    .option(...TENANT)
    .action(async (id: string, flags: Of) =>
      showOne(output(), await client.call('GET', await one(flags, id)), EXECUTION),
    )
  executions
    .command('log <execution>')
    .description('the newest part of its log')
    .option(...TENANT)
    .action(async (id: string, flags: Of) => {
      const body = await client.call<{ log: string }>('GET', `${await one(flags, id)}/log`)
      if (output().format === 'json') output().object({ ...body })
      else output().text(body.log)
    })
  changing(executions.command('cancel <id>'))
    .description('cancel it')
    .option(...TENANT)
    .action(async (id: string, flags: Of) =>
      showOne(output(), await client.call('POST', `${await base(flags)}/${id}/cancel`), EXECUTION),
    )
  program
    .command('why <execution>')
    .description(
      'why an execution (its id, or the name of its job) waits, is late, was refused, failed or cost what it did',
    )
    .option(...TENANT)
    .action(async (id: string, flags: Of) =>
      showOne(output(), await client.call('GET', `${await one(flags, id)}/why`)),
    )
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

/** Id of a job that is named or given by its id. */
async function jobId(client: Client, flags: Of, named: string): Promise<string> {
  if (isId(named)) return named
  const {
    items: [found],
  } = await client.call<{ items: { job_id: string }[] }>(
    'GET',
    `/tenants/${await client.tenant(flags.tenant)}/jobs`,
    { query: { name: named } },
  )
  if (found === undefined) throw failure('not_found', { what: 'job', id: named, list: 'headrace jobs list' })
  return found.job_id
}

async function waitFor(client: Client, tenant: string, id: string, out: Output): Promise<Body> {
  for (let shown = ''; ; await sleep(500)) {
    const body = await client.call<Body>('GET', `/tenants/${tenant}/executions/${id}`)
    const state = String(body.status)
    if (!['scheduled', 'booked', 'running'].includes(state)) return body
    const reason = (body.reason as { message?: string } | null)?.message
    const progress = body.progress as { rows?: number; bytes?: number; phase?: string } | null
    const text = `${state}${reason === undefined ? '' : `: ${reason}`}${state === 'booked' ? ` from ${String(body.booked_from)}` : ''}${progress?.bytes ? ` (${progress.phase}, ${(progress.bytes / 1e6).toFixed(1)} MB)` : ''}`
    if (text !== shown) out.say(text)
    shown = text
  }
}

function bodyOf(file: string): unknown {
  const body = jsonFile(file) as { source_config?: Record<string, unknown> }
  const { declaration_file: named, ...config } = body.source_config ?? {}
  return named === undefined
    ? body
    : {
        ...body,
        source_config: {
          ...config,
          declaration: declarationOf(resolve(file === '-' ? '.' : dirname(file), String(named))),
        },
      }
}

function declarationOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw failure('path_not_found', { path, base: "the folder of the job's file" }, error)
  }
}

const JOB_HELP = `
Example of a job:
  {
    "job_name": "orders-daily",
    "source_type": "postgres",
    "source_config": { "host": "pg.example.com", "database": "shop", "table": "public.orders", "credentials_secret": "pg-secret" },
    "destination_config": { "type": "local", "path": "orders", "format": "parquet" },
    "schedule_cron": "0 2 * * *",
    "resource_requirements": { "cpu_cores": 2, "memory_gb": 4, "estimated_runtime_minutes": 30 },
    "sla_requirements": { "max_runtime_minutes": 60, "priority": "medium" }
  }
Into the zones, exactly once, all the time (with a schedule_cron: at its ticks, and published each time):
  { "job_name": "books", "source_type": "kafka", "source_config": { "declaration_file": "datasets/books.yaml" },
    "destination_config": { "type": "zones" }, "resource_requirements": { "cpu_cores": 2, "memory_gb": 2, "estimated_runtime_minutes": 10 } }
Then: headrace jobs run orders-daily --wait, headrace promote orders-daily`
