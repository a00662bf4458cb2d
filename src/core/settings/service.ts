/** Settings of the service, and what each tenant may have in it. */
import { list, PATH, TEXT, url, wholeNumber, type SettingRow } from '../setting-row.ts'
import { TENANT_LIMITS, type TenantLimit } from '../service/tenant-limits.ts'

const DAYS = wholeNumber({ digits: 5, unit: 'days' })

export const SERVICE_SETTINGS = {
  database: {
    kind: url('postgres://USER:PASSWORD@HOST/DATABASE', 'postgresql://USER:PASSWORD@HOST/DATABASE'),
    unset: 'the built-in PostgreSQL',
    meaning: 'a PostgreSQL 15 or newer; the option --database goes before',
    more: 'Its user must be able to create roles.',
    readBy: ['serve'],
    secret: true,
  },
  allow_paths: {
    kind: list('folders', ':', true),
    usual: [],
    unset: 'none',
    meaning: 'folders in which tenants may use absolute paths',
    more:
      'Relative paths are below tenants/ID in the home. No tenant reaches the rest of the home, even if you ' +
      'allow a folder around it.',
    readBy: ['runner'],
  },
  allow_hosts: {
    kind: list('hosts (name, name:port or an address) and networks (10.1.0.0/16)', ','),
    usual: [],
    unset: 'none',
    meaning: 'hosts that jobs and webhooks may reach all the same',
    more:
      'Jobs may reach them though they are this machine (by any of its addresses), link-local or a metadata ' +
      'service of a cloud, and webhooks of tenants though they are in a private network (10/8, 172.16/12, ' +
      '192.168/16, 100.64/10, fc00::/7).',
    readBy: ['scheduler', 'runner', 'execution'],
  },
  secrets_key_file: {
    kind: PATH,
    unset: 'secrets.key in the home',
    meaning: 'the key that opens the sealed secrets',
    more:
      'Set it when the key is not to lie beside the secrets; under systemd the credential ' +
      'headrace-secrets-key (LoadCredentialEncrypted=) is found by itself. Such a key is never made and is ' +
      'in no backup.',
    readBy: ['serve'],
  },
  oidc_issuer: {
    kind: url('https://login.example.com', 'http://127.0.0.1:8080'),
    unset: 'only tokens of the service itself',
    meaning: 'identity provider whose signed tokens are taken too',
    more: 'Needs oidc_audience.',
    readBy: ['api'],
  },
  oidc_audience: {
    kind: TEXT,
    unset: 'none',
    meaning: 'audience that its tokens for this service have',
    readBy: ['api'],
  },
  oidc_role_claim: {
    kind: TEXT,
    usual: 'headrace_role',
    meaning: 'claim of a token that holds the role',
    readBy: ['api'],
  },
  oidc_tenant_claim: {
    kind: TEXT,
    usual: 'headrace_tenant',
    meaning: "claim of a token that holds the tenant's id",
    readBy: ['api'],
  },
  smtp_url: {
    kind: url('smtp://USER:PASSWORD@HOST:587', 'smtps://HOST'),
    unset: 'no mail is sent',
    meaning: 'the SMTP server for mailto: webhooks',
    more: 'Needs mail_from.',
    readBy: ['api', 'scheduler'],
    secret: true,
  },
  mail_from: {
    kind: TEXT,
    unset: 'none',
    meaning: 'the sender of that mail',
    readBy: ['api', 'scheduler'],
  },
  keep_logs_days: {
    kind: DAYS,
    usual: 30,
    meaning: 'how long logs of executions are kept after their last line',
    readBy: ['runner'],
  },
  keep_events_days: {
    kind: DAYS,
    usual: 400,
    meaning: 'how long events, the audit log, are kept',
    more: 'Executions, the ledger and use are kept for ever.',
    readBy: ['scheduler'],
  },
} as const satisfies Record<string, SettingRow>

function limitRow(name: TenantLimit) {
  const { usual, what } = TENANT_LIMITS[name]
  return {
    kind: wholeNumber({ digits: 9 }),
    usual,
    meaning: `each tenant's limit: ${what}`,
    readBy: ['serve'],
  } as const
}

/** For all tenants; the policy of one goes before. */
export const LIMIT_SETTINGS = Object.fromEntries(
  (Object.keys(TENANT_LIMITS) as TenantLimit[]).map((name) => [`limit_${name}`, limitRow(name)]),
) as Record<`limit_${TenantLimit}`, ReturnType<typeof limitRow>>
