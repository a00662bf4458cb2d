/**
 * Limits of one tenant, so that no tenant fills what all share. An operator sets them for the installation
 * (HEADRACE_LIMIT_JOBS) or for a tenant (`policy.limits`), which takes precedence.
 */
import { failure } from '../errors.ts'
import { variableOf } from '../setting-row.ts'

export const TENANT_LIMITS = {
  jobs: { usual: 1_000, what: 'jobs', how: 'headrace jobs delete JOB' },
  job_settings_kb: {
    usual: 32_768,
    what: 'KB of job settings',
    how: 'headrace jobs delete JOB, or shorten declarations',
  },
  waiting_executions: { usual: 1_000, what: 'waiting executions', how: 'headrace executions cancel ID' },
  webhooks: { usual: 100, what: 'webhooks', how: 'headrace webhooks delete ID' },
  secrets: { usual: 200, what: 'secrets', how: 'headrace secrets delete NAME' },
  secret_kb: { usual: 64, what: 'KB in a secret', how: 'store only what the login needs' },
  tokens: { usual: 200, what: 'valid tokens', how: 'DELETE /api/v1/tenants/TENANT/tokens/TOKEN' },
  execution_log_kb: {
    usual: 65_536,
    what: 'KB in the log of an execution',
    how: 'none needed, the log starts over',
  },
  logs_mb: { usual: 4_096, what: 'MB of logs', how: 'none needed, the oldest logs are removed' },
  storage_gb: {
    usual: 1_000,
    what: 'GB in the folder of the tenant',
    how: 'remove tables or files, or shorten raw.retention_days',
  },
} as const

export type TenantLimit = keyof typeof TENANT_LIMITS
export type TenantLimits = Record<TenantLimit, number>

const NAMES = Object.keys(TENANT_LIMITS) as TenantLimit[]

/** The limits of the installation, by its settings. */
export function tenantLimits(settings: Readonly<Record<`limit_${TenantLimit}`, number>>): TenantLimits {
  return Object.fromEntries(NAMES.map((name) => [name, settings[`limit_${name}`]])) as TenantLimits
}

/** The limits of a tenant with this policy. */
export function limitsOf(
  installation: TenantLimits,
  policy: { limits?: Partial<TenantLimits> } | undefined,
): TenantLimits {
  return { ...installation, ...policy?.limits }
}

/** Throws `limit_reached` if the count would exceed the limit. */
export function keepTo(limits: TenantLimits, name: TenantLimit, count: number): void {
  if (count > limits[name]) throw failure('limit_reached', reachedParams(limits, name))
}

export function reachedParams(
  limits: TenantLimits,
  name: TenantLimit,
): { count: number; what: string; how: string; limit: string } {
  const { what, how } = TENANT_LIMITS[name]
  return {
    count: limits[name],
    what,
    how: `${how}; or ask an operator to raise ${name} of the tenant (or ${variableOf(`limit_${name}`)})`,
    limit: name,
  }
}
