/** Settings of the service, and the limits of each tenant. */
import { list, PATH, TEXT, url, wholeNumber, type SettingRow } from '../setting-row.ts'
import { TENANT_LIMITS, type TenantLimit } from '../service/tenant-limits.ts'

const DAYS = wholeNumber({ digits: 5, unit: 'days' })

export const SERVICE_SETTINGS = {
  database: {
    kind: url('postgres://USER:PASSWORD@HOST/DATABASE', 'postgresql://USER:PASSWORD@HOST/DATABASE'),
    unset: 'the built-in PostgreSQL',
    meaning: 'PostgreSQL 15 or newer (the option --database comes first)',
    more: 'Its user must be able to create roles.',
    readBy: ['serve'],
    secret: true,
  },
  allow_paths: {
    kind: list('a list of folders', ':', true),
    usual: [],
    unset: 'none',
    meaning: 'Folders in which tenants may use absolute paths',
    more:
      'Relative paths start at `tenants/ID` in the home. Tenants never reach the rest of the home, even if ' +
      'you allow a folder around it.',
    readBy: ['runner'],
  },
  allow_hosts: {
    kind: list('a list of hosts (name, name:port, an address) and networks (10.1.0.0/16)', ','),
    usual: [],
    unset: 'none',
    meaning: 'Hosts that jobs and webhooks may reach as an exception',
    more:
      'Jobs may reach them although they are this machine (by any of its addresses), link-local or a ' +
      'metadata service of a cloud. Webhooks of tenants may reach them although they are in a private ' +
      'network (10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7).',
    readBy: ['scheduler', 'runner', 'execution'],
  },
  secrets_key_file: {
    kind: PATH,
    unset: 'secrets.key in the home',
    meaning: 'Key that opens the sealed secrets',
    more:
      'Set it to store the key apart from the secrets. Under systemd, Headrace finds the credential ' +
      '`headrace-secrets-key` (`LoadCredentialEncrypted=`). You create this key yourself, and backups do ' +
      'not contain it.',
    readBy: ['serve'],
  },
  oidc_issuer: {
    kind: url('https://login.example.com', 'http://127.0.0.1:8080'),
    unset: 'only tokens that the service issues',
    meaning: 'URL of an identity provider (OpenID Connect)',
    more:
      'The API then accepts the tokens (JWT) that this provider signs, besides those of ' +
      '`headrace tenants token`. It needs `oidc_audience`.',
    readBy: ['api'],
  },
  oidc_audience: {
    kind: TEXT,
    unset: 'none',
    meaning: 'Audience (claim aud) that tokens of oidc_issuer must have',
    more: 'It is the name of this service at the identity provider.',
    readBy: ['api'],
  },
  oidc_role_claim: {
    kind: TEXT,
    usual: 'headrace_role',
    meaning: 'Claim with the role, in tokens of oidc_issuer',
    readBy: ['api'],
  },
  oidc_tenant_claim: {
    kind: TEXT,
    usual: 'headrace_tenant',
    meaning: 'Claim with the ID of the tenant, in tokens of oidc_issuer',
    readBy: ['api'],
  },
  smtp_url: {
    kind: url('smtp://USER:PASSWORD@HOST:587', 'smtps://HOST'),
    unset: 'no mail',
    meaning: 'SMTP server for mailto: webhooks',
    more: 'It needs `mail_from`.',
    readBy: ['api', 'scheduler'],
    secret: true,
  },
  mail_from: {
    kind: TEXT,
    unset: 'none',
    meaning: 'Sender of mail to mailto: webhooks',
    readBy: ['api', 'scheduler'],
  },
  keep_logs_days: {
    kind: DAYS,
    usual: 30,
    meaning: 'How long to keep logs of executions after the last line',
    readBy: ['runner'],
  },
  keep_events_days: {
    kind: DAYS,
    usual: 400,
    meaning: 'How long to keep events (the audit log)',
    more: 'Executions, the ledger and usage are kept forever.',
    readBy: ['scheduler'],
  },
} as const satisfies Record<string, SettingRow>

function limitRow(name: TenantLimit) {
  const { usual, what } = TENANT_LIMITS[name]
  return {
    kind: wholeNumber({ digits: 9 }),
    usual,
    meaning: `Limit of each tenant: ${what}`,
    readBy: ['serve'],
  } as const
}

/** For all tenants. The policy of a tenant takes precedence. */
export const LIMIT_SETTINGS = Object.fromEntries(
  (Object.keys(TENANT_LIMITS) as TenantLimit[]).map((name) => [`limit_${name}`, limitRow(name)]),
) as Record<`limit_${TenantLimit}`, ReturnType<typeof limitRow>>
