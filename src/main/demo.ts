/**
 * The demo: every kind of trouble on purpose, and one reconciled table at the end. It runs the CLI's own
 * commands against a real service, so it shows what a user would see. The service continues after the demo.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { DemoOptions } from '../cli/demo.ts'
import type { Output } from '../cli/output.ts'
import { failure } from '../core/errors.ts'
import {
  ENTRY,
  NODE_FLAGS,
  executionPids,
  startServers,
  stopServers,
  type DemoServers,
} from './demo-service.ts'
import { reconcile, type Ask, type Receipt } from '../sample/reconciliation.ts'
import { homeFolder } from '../host/home-folder.ts'
import { PACKAGE_ROOT } from '../host/package-root.ts'
import { pause } from '../core/waiting.ts'
import { inheritedEnvironment } from '../host/settings.ts'

const run = promisify(execFile)

export async function runDemo(options: DemoOptions, out: Output): Promise<void> {
  const home = join(homeFolder(), 'demo')
  if (options.stop) {
    const stopped = await stopServers(home)
    out.say(
      stopped
        ? 'Stopped. The tables stay: run ./headrace demo to continue with them.'
        : 'No demo is running.',
    )
    return
  }
  const servers = await startServers(home, options, out.say)
  const env = inheritedEnvironment({
    HEADRACE_HOME: home,
    ...(servers.broker === undefined ? {} : { HEADRACE_BROKERS: servers.broker.address }),
  })
  const ask: Ask = (args) => cli(env, args)
  const tenant = await tenantOf(ask)
  const folder = join(home, 'tenants', tenant)
  const dataset = servers.broker === undefined ? 'books_files' : 'books'
  const runs = await chain({ options, out, ask, servers, folder, dataset })
  out.rows(
    await reconcile(
      { tables: (args) => cli({ ...env, HEADRACE_HOME: folder }, args), service: ask },
      dataset,
      home,
      runs,
    ),
  )
  if (out.format === 'table') out.text(lookAt(home, folder, dataset, servers))
}

interface Story {
  options: DemoOptions
  out: Output
  ask: Ask
  servers: DemoServers
  folder: string
  dataset: string
}

const ARRIVAL_S = 5

async function chain({ options, out, ask, servers, folder, dataset }: Story): Promise<Receipt[]> {
  const files = dataset === 'books_files'
  const count = files ? Math.min(options.messages, 500) : options.messages
  const target = files ? ['--to', 'files', '--folder', join(folder, 'incoming')] : []
  if (files) mkdirSync(join(folder, 'incoming'), { recursive: true })
  out.say(
    `1. Producing ${count.toLocaleString('en-US')} messages, among them duplicate, malformed, late and invalid ones ...`,
  )
  const half = Math.ceil(count / 2)
  await ask(['produce', dataset, '--count', String(half), ...target])
  out.say(
    '2. The tenant demo buys 100 vCPU-hours and creates an hourly job. A draft run reads a sample, then the job is promoted ...',
  )
  await promotedJob(ask, folder, dataset, servers)
  out.say('3. The job runs in the capacity that was bought. The demo kills its process (SIGKILL) halfway ...')
  // The other half arrives during the run, so there is a middle in which to kill it, however fast it is.
  const producing = ask([
    'produce',
    dataset,
    '--count',
    String(count - half),
    '--rate',
    String(Math.ceil(half / ARRIVAL_S)),
    ...target,
  ])
  const raw = join(folder, 'tables', dataset, 'raw')
  const before = versionsOf(raw)
  const { execution_id: id } = (await ask(['jobs', 'run', dataset])) as { execution_id: string }
  const killed = await killInTheMiddle(ask, id, { servicePid: servers.service.pid, raw, before })
  out.say(
    killed
      ? '   Killed. Its hold was released and it was queued again. It continues from the last commit, then publishes.'
      : '   The run finished before it could be killed.',
  )
  await producing
  const first = await receiptOf(ask, id)
  out.say('4. More messages arrive. A second run publishes only these; a third run finds nothing new ...')
  await ask(['produce', dataset, '--count', String(Math.ceil(count / 20)), ...target])
  const again = async (): Promise<Receipt> =>
    receiptOf(ask, ((await ask(['jobs', 'run', dataset])) as { execution_id: string }).execution_id)
  return [first, await again(), await again()]
}

/** The tenant, with a balance. The first demo creates it. */
async function tenantOf(ask: Ask): Promise<string> {
  const { items } = (await ask(['tenants', 'list'])) as unknown as {
    items: { tenant_id: string; tenant_name: string }[]
  }
  const known = items.find((item) => item.tenant_name === 'demo')?.tenant_id
  const tenant = known ?? String((await ask(['tenants', 'add', 'demo'])).tenant_id)
  const { current_period: now } = (await ask(['usage'])) as unknown as {
    current_period: { vcpu_hours: { remaining: number } }
  }
  if (now.vcpu_hours.remaining < 10)
    await ask(['purchases', 'add', '--type', 'vcpu_hours', '--quantity', '100'])
  return tenant
}

/** The job with its present declaration; a new one is drafted and promoted. */
async function promotedJob(
  ask: Ask,
  folder: string,
  dataset: string,
  { broker }: DemoServers,
): Promise<void> {
  const text = readFileSync(join(PACKAGE_ROOT, 'datasets', `${dataset}.yaml`), 'utf8')
  const declaration =
    broker === undefined
      ? text.replace('../incoming', 'incoming')
      : text.replace('localhost:9092', broker.address)
  const source = { source_config: { declaration, sample_messages: 2_000 } }
  const job = {
    job_name: dataset,
    source_type: broker === undefined ? 'files' : 'kafka',
    ...source,
    destination_config: { type: 'zones' },
    schedule_cron: '5 * * * *',
    resource_requirements: { cpu_cores: 2, memory_gb: 2, estimated_runtime_minutes: 5 },
    sla_requirements: { max_runtime_minutes: 30 },
  }
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'job.json')
  const { items } = (await ask(['jobs', 'list'])) as unknown as {
    items: { job_name: string; status: string }[]
  }
  const known = items.find((item) => item.job_name === dataset)
  writeFileSync(file, JSON.stringify(known === undefined ? job : source))
  await ask(known === undefined ? ['jobs', 'create', '-f', file] : ['jobs', 'change', dataset, '-f', file])
  if (known !== undefined && known.status !== 'draft') return
  await ask(['jobs', 'run', dataset, '--wait'])
  await ask(['promote', dataset])
}

interface Execution {
  status: string
  attempt: number
  progress: { rows: number } | null
  receipt: { rows: number; published_rows: number; work_seconds: number } | null
  resource_used: { vcpu_hours: number } | null
  reason: { message: string } | null
}

const show = async (ask: Ask, id: string): Promise<Execution> =>
  (await ask(['executions', 'show', id])) as unknown as Execution
const ended = (execution: Execution): boolean =>
  !['scheduled', 'booked', 'running'].includes(execution.status)

/**
 * Kills the process of an execution once it has committed something, as seen in the table's log: the API
 * reports it only every few seconds.
 */
async function killInTheMiddle(
  ask: Ask,
  id: string,
  { servicePid, raw, before }: { servicePid: number; raw: string; before: number },
): Promise<boolean> {
  for (let look = 0; ; look += 1) {
    const pids = await executionPids(servicePid)
    // A first run commits its first offsets before data.
    if (versionsOf(raw) > Math.max(before, 1) + (before === 0 ? 1 : 0) && pids.filter(killed).length > 0)
      return true
    if (look % 20 === 19 && ended(await show(ask, id))) return false
    await pause(25)
  }
}

/** False if it has ended meanwhile. */
function killed(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch {
    return false
  }
}

function versionsOf(raw: string): number {
  try {
    return readdirSync(join(raw, '_delta_log')).filter((name) => /^\d{20}\.json$/.test(name)).length
  } catch {
    return 0
  }
}

async function receiptOf(ask: Ask, id: string): Promise<Receipt> {
  for (;;) {
    const execution = await show(ask, id)
    if (execution.status === 'succeeded' && execution.receipt !== null)
      return {
        attempt: execution.attempt,
        ...execution.receipt,
        vcpu_hours: execution.resource_used?.vcpu_hours ?? 0,
      }
    if (ended(execution))
      throw failure('internal', {
        reason: `execution ${id} ${execution.status}: ${execution.reason?.message ?? 'no reason'}`,
      })
    await pause(200)
  }
}

/** A CLI command as a child, its JSON result parsed. */
async function cli(env: NodeJS.ProcessEnv, args: string[]): Promise<Record<string, unknown>> {
  try {
    const { stdout } = await run(process.execPath, [...NODE_FLAGS, ENTRY, ...args, '-o', 'json'], {
      env,
      maxBuffer: 1 << 28,
    })
    return JSON.parse(stdout) as Record<string, unknown>
  } catch (error) {
    const { stderr } = error as { stderr?: string }
    throw failure(
      'internal',
      { reason: `headrace ${args.join(' ')}: ${stderr?.trim() ?? String(error)}` },
      error,
    )
  }
}

function lookAt(home: string, folder: string, dataset: string, { service }: DemoServers): string {
  return [
    '',
    `The service keeps running and runs the job at five past every hour. API reference: ${service.address}/api/v1/reference`,
    'Look at the results:',
    `  HEADRACE_HOME=${home} ./headrace executions list`,
    `  HEADRACE_HOME=${home} ./headrace usage --ledger`,
    `  HEADRACE_HOME=${folder} ./headrace tables query ${dataset} 'SELECT title, author_name FROM t LIMIT 5'`,
    `  HEADRACE_HOME=${folder} ./headrace tables versions ${dataset}/raw`,
    `  HEADRACE_HOME=${folder} ./headrace quarantine list ${dataset}`,
    'Run ./headrace demo again to continue. Stop the service with ./headrace demo --stop',
  ].join('\n')
}
