/** Users give a job by name or by ID. The API needs the ID. */
import type { Client } from './client.ts'
import { failure } from '../core/errors.ts'
import { isId } from '../core/service/nouns.ts'
import type { OfTenant } from './options.ts'

/** Path of all jobs of the tenant. */
export async function jobsPath(client: Client, { tenant }: OfTenant): Promise<string> {
  return `/tenants/${await client.tenant(tenant)}/jobs`
}

/** Path of one job. */
export async function jobPath(client: Client, flags: OfTenant, named: string): Promise<string> {
  return `${await jobsPath(client, flags)}/${await jobId(client, flags, named)}`
}

/** ID of a job, given by name or ID. */
export async function jobId(client: Client, flags: OfTenant, named: string): Promise<string> {
  if (isId(named)) return named
  const {
    items: [found],
  } = await client.call<{ items: { job_id: string }[] }>('GET', await jobsPath(client, flags), {
    query: { name: named },
  })
  if (found === undefined) throw failure('not_found', { what: 'job', id: named, list: 'headrace jobs list' })
  return found.job_id
}
