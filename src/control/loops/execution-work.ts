/** The work order of an execution's process: its job's settings, logins, limits and folders. */
import { mkdirSync } from 'node:fs'
import { cpus } from 'node:os'
import { join, resolve } from 'node:path'
import { DRAFT } from '../../core/service/namespaces.ts'
import type { SlaRequirements, TenantPolicy } from '../../scheduling/terms.ts'
import { lastSuccess } from '../../state/executions.ts'
import type { Claimed } from '../../state/runs/claim.ts'
import { bookedFor, jobToRun } from '../../state/runs/order.ts'
import { beginAttempt } from '../../executions/attempt-folder.ts'
import type { Context } from '../context.ts'
import { foreignVariable, settings, settingsFilePath } from '../../host/settings.ts'
import { closedPaths } from '../../executions/tenant-paths.ts'
import type { Work } from '../../executions/work.ts'

/** The data of a claimed execution's job and tenant at its start, and its booking. */
export interface Order {
  source_type: string
  source_config: Record<string, unknown>
  destination_config: Record<string, unknown>
  cursor: Work['cursor']
  sla_requirements: SlaRequirements
  policy: TenantPolicy
  /** Whether the run has no end. The draft of a stream is a run like any other. */
  streams: boolean
  estimated_minutes: number
  holds: { amount: string }[]
}

export async function orderOf({ gate }: Context, claimed: Claimed): Promise<Order> {
  const job = await jobToRun(gate.service, claimed.job_id)
  const booked = await bookedFor(gate.service, claimed.execution_id)
  return {
    source_type: job.source_type,
    source_config: job.source_config,
    destination_config: job.destination_config,
    cursor: job.cursor,
    sla_requirements: job.sla_requirements,
    policy: job.policy,
    streams: job.continuous && claimed.namespace !== DRAFT,
    estimated_minutes: booked.estimated_minutes,
    holds: booked.holds as Order['holds'],
  }
}

export const memoryBytesOf = (claimed: Claimed): number => claimed.memory_gb * 1024 ** 3

/** Also creates the folders of the work. It takes over what an earlier attempt left there. */
export async function workOf(context: Context, claimed: Claimed, order: Order): Promise<Work> {
  const { gate, home, secrets } = context
  const secretOf = async (config: Record<string, unknown>): Promise<Record<string, string> | undefined> =>
    config.credentials_secret === undefined
      ? undefined
      : secrets.get(claimed.tenant_id, String(config.credentials_secret))
  const tenantFolder = join(home, 'tenants', claimed.tenant_id)
  mkdirSync(tenantFolder, { recursive: true })
  return {
    executionId: claimed.execution_id,
    jobId: claimed.job_id,
    knownUntil: await lastSuccess(gate.service, claimed.job_id),
    tenantId: claimed.tenant_id,
    sourceType: order.source_type,
    source: order.source_config,
    destination: order.destination_config,
    sourceSecret: await secretOf(order.source_config),
    destinationSecret: await secretOf(order.destination_config),
    cursor: order.cursor,
    draft: claimed.namespace === DRAFT,
    continuous: order.streams,
    estimatedMinutes: order.estimated_minutes,
    memoryBytes: memoryBytesOf(claimed),
    threads: Math.min(claimed.cpu_cores, cpus().length),
    workFolder: await beginAttempt(home, claimed),
    tenantFolder,
    scratchFolder: join(home, 'drafts', claimed.tenant_id, claimed.job_id),
    allowedPaths: settings().allow_paths.map((path) => resolve(path)),
    closedPaths: closedPaths(home, [
      settings().secrets_key_file,
      foreignVariable('CREDENTIALS_DIRECTORY'),
      settingsFilePath(),
    ]),
  }
}
