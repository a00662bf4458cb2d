/** Tenants, their tokens, and the secrets they store. */
import { Type, type TSchema } from 'typebox'
import { TENANT_LIMITS } from '../../core/service/tenant-limits.ts'
import { variableOf } from '../../core/setting-row.ts'
import { Count, Free, Name, Time, Id, nullable } from './fields.ts'

const LIMIT_FIELDS = Object.entries(TENANT_LIMITS).map(([name, { what, usual }]) => [
  name,
  Type.Optional(
    Count(`Limit of ${what}. Default: ${variableOf(`limit_${name}`)}, or ${usual}.`, 999_999_999),
  ),
])

const Limits = Type.Object(Object.fromEntries(LIMIT_FIELDS) as Record<string, TSchema>, {
  additionalProperties: false,
  description: 'Limits of this tenant. They override the limits of the installation.',
})

export const TenantRequest = Type.Object(
  {
    tenant_name: Name('Name of the tenant, unique in the installation.'),
    policy: Type.Optional(
      Type.Object(
        {
          overage: Type.Optional(
            Type.Union([Type.Literal('stop'), Type.Literal('debt')], {
              description:
                'What happens to a run that uses more than its hold when no balance is left: stop it, or let it run into debt.',
            }),
          ),
          lends: Type.Optional(
            Type.Boolean({
              description: 'Whether other tenants may use its idle dedicated units until it needs them.',
            }),
          ),
          requests_per_minute: Type.Optional(Count('Limit of API requests per minute. Default 600.')),
          limits: Type.Optional(Limits),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)

export const TenantChange = Type.Partial(
  Type.Object({
    ...TenantRequest.properties,
    status: Type.Union([Type.Literal('active'), Type.Literal('suspended'), Type.Literal('deleted')]),
  }),
  { additionalProperties: false, minProperties: 1 },
)

export const Tenant = Type.Object({
  tenant_id: Id('ID of the tenant.'),
  tenant_name: Type.String(),
  created_at: Time('When the tenant was created.'),
  status: Type.String(),
  policy: Free,
  version: Type.Integer(),
})

export const TokenRequest = Type.Object(
  {
    token_name: Name('Name of the token in the audit log.'),
    role: Type.Union([Type.Literal('owner'), Type.Literal('editor'), Type.Literal('viewer')]),
    expires_at: Type.Optional(Time('When the token expires. Default: never.')),
  },
  { additionalProperties: false },
)

export const NewToken = Type.Object({
  token_id: Id('ID of the token, needed to revoke it.'),
  tenant_id: Id('ID of the tenant.'),
  token_name: Type.String(),
  role: Type.String(),
  token: Type.String({ description: 'The token. It is shown only once.' }),
})

export const Token = Type.Object({
  token_id: Id('ID of the token.'),
  token_name: Type.String(),
  role: Type.String(),
  created_at: Time('When the token was created.'),
  expires_at: nullable(Time('When the token expires.')),
  revoked_at: nullable(Time('When the token was revoked.')),
})

export const SecretRequest = Type.Object(
  {
    value: Type.Record(Type.String({ pattern: '^[a-z_]{1,40}$' }), Type.String({ maxLength: 65_536 }), {
      minProperties: 1,
      maxProperties: 20,
      additionalProperties: false,
    }),
  },
  { additionalProperties: false },
)

export const SecretName = Type.Object({ name: Type.String() })
