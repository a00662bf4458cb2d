/** headrace jobs: create, list, show, change, pause, run and delete the jobs of a tenant. */
import { randomUUID } from 'node:crypto'
import type { Command } from 'commander'
import type { Client } from './client.ts'
import { dryRunOf } from './dry-run.ts'
import { EXECUTION } from './executions.ts'
import { JOB_HELP, jobOfFile } from './job-file.ts'
import { jobPath, jobsPath } from './job-name.ts'
import { waitForEnd } from './job-wait.ts'
import { TENANT, type OfTenant } from './options.ts'
import type { Output } from './output.ts'
import { showList, showOne } from './service-output.ts'

export function addJobs(program: Command, client: Client, output: () => Output): void {
  const jobs = program.command('jobs').description('create, change, run and pause the jobs of a tenant')
  addCreate(jobs, client, output)
  addList(jobs, client, output)
  addPlainVerbs(jobs, client, output)
  addChange(jobs, client, output)
  addRun(jobs, client, output)
}

function addCreate(jobs: Command, client: Client, output: () => Output): void {
  const changing = dryRunOf(client, output)
  changing(jobs.command('create'))
    .description('create a job from a JSON file; it starts as a draft')
    .requiredOption('-f, --file <path>', 'JSON file of the job (- for standard input)')
    .option(...TENANT)
    .addHelpText('after', JOB_HELP)
    .action(async (flags: OfTenant & { file: string }) => {
      const job = { body: jobOfFile(flags.file), key: randomUUID() }
      showOne(output(), await client.call('POST', await jobsPath(client, flags), job), [
        'job_id',
        'job_name',
        'status',
        'namespace',
        'schedule_cron',
      ])
    })
}

function addList(jobs: Command, client: Client, output: () => Output): void {
  jobs
    .command('list')
    .description('list jobs')
    .option(...TENANT)
    .action(async (flags: OfTenant) =>
      showList(
        output(),
        await client.list(await jobsPath(client, flags)),
        ['job_name', 'job_id', 'source_type', 'status', 'namespace', 'schedule_cron', 'next_run_at'],
        'No jobs. To create one, see headrace jobs create --help.',
      ),
    )
}

/** Commands whose only argument is a job. */
function addPlainVerbs(jobs: Command, client: Client, output: () => Output): void {
  const changing = dryRunOf(client, output)
  const verb = (command: Command, description: string, act: (at: string) => Promise<void>): void =>
    void command
      .description(description)
      .option(...TENANT)
      .action(async (job: string, flags: OfTenant) => act(await jobPath(client, flags, job)))
  verb(jobs.command('show <job>'), 'show a job', async (at) =>
    showOne(output(), await client.call('GET', at)),
  )
  verb(changing(jobs.command('pause <job>')), 'pause a job: stop its schedule or its stream', async (at) =>
    showOne(output(), await client.call('POST', `${at}/pause`), ['job_name', 'status']),
  )
  verb(changing(jobs.command('resume <job>')), 'resume a paused job', async (at) =>
    showOne(output(), await client.call('POST', `${at}/resume`), ['job_name', 'status', 'next_run_at']),
  )
  verb(jobs.command('evaluate <job>'), 'show whether the last draft run allows promotion', async (at) =>
    showOne(output(), await client.call('GET', `${at}/evaluation`)),
  )
  verb(changing(jobs.command('delete <job>')), 'delete a job and cancel its open executions', async (at) => {
    await client.call('DELETE', at)
    output().object({ deleted: true })
  })
}

function addChange(jobs: Command, client: Client, output: () => Output): void {
  const changing = dryRunOf(client, output)
  changing(jobs.command('change <job>'))
    .description('change fields of a job, from a JSON file with only these fields')
    .requiredOption('-f, --file <path>', 'JSON file of the fields (- for standard input)')
    .option(...TENANT)
    .action(async (job: string, flags: OfTenant & { file: string }) => {
      const at = await jobPath(client, flags, job)
      showOne(output(), await client.call('PATCH', at, { body: jobOfFile(flags.file) }))
    })
}

function addRun(jobs: Command, client: Client, output: () => Output): void {
  const changing = dryRunOf(client, output)
  changing(jobs.command('run <job>'))
    .description('queue an execution now; a draft reads a sample only')
    .option('--wait', 'wait for the execution to finish; exit 1 if it fails')
    .option(...TENANT)
    .action(async (job: string, flags: OfTenant & { wait?: boolean; dryRun?: boolean }) => {
      const at = await jobPath(client, flags, job)
      const queued = await client.call('POST', `${at}/run`, { key: randomUUID() })
      if (flags.wait !== true || flags.dryRun === true) return showOne(output(), queued)
      const tenant = await client.tenant(flags.tenant)
      const execution = `/tenants/${tenant}/executions/${String(queued.execution_id)}`
      const ended = await waitForEnd(client, execution, output())
      showOne(output(), ended, EXECUTION)
      if (ended.status !== 'succeeded') process.exitCode = 1
    })
}
