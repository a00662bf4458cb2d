/**
 * What one tenant may have, so that no tenant fills what all share. An operator sets each for the
 * installation (HEADRACE_LIMIT_JOBS) and for a tenant (`policy.limits`), which goes before.
 */
import { failure } from '../errors.ts'

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

export const variableOf = (name: TenantLimit): string => `HEADRACE_LIMIT_${name.toUpperCase()}`

/** Those of the installation. Throws `usage` for what is no number. */
export function tenantLimits(env: NodeJS.ProcessEnv = process.env): TenantLimits {
  const of = (name: TenantLimit): number => {
    const text = env[variableOf(name)] ?? ''
    if (text === '') return TENANT_LIMITS[name].usual
    if (!/^[1-9]\d{0,8}$/.test(text))
      throw failure('usage', {
        reason: `${variableOf(name)} must be a whole number from 1 to 999999999, and is ${text.slice(0, 40)}`,
      })
    return Number(text)
  }
  return Object.fromEntries(NAMES.map((name) => [name, of(name)])) as TenantLimits
}

/** Those of a tenant with this policy. */
export function limitsOf(
  installation: TenantLimits,
  policy: { limits?: Partial<TenantLimits> } | undefined,
): TenantLimits {
  return { ...installation, ...policy?.limits }
}

/** Throws `limit_reached` when more than the limit would be there. */
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
    how: `${how}; or ask an operator to raise ${name} of the tenant (or ${variableOf(name)})`,
    limit: name,
  }
}
