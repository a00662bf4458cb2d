/** Tenants, their tokens, and the secrets they store. */
import { Type, type Static } from 'typebox'
import { TenantPolicy } from '../../scheduling/terms.ts'
import { Name, Time, TimeText, Id, nullable } from './fields.ts'

export const TenantRequest = Type.Object(
  {
    tenant_name: Name('Name of the tenant, unique in the installation.'),
    policy: Type.Optional(TenantPolicy),
  },
  { additionalProperties: false },
)
export type TenantRequest = Static<typeof TenantRequest>

export const TenantChange = Type.Partial(
  Type.Object({
    ...TenantRequest.properties,
    status: Type.Union([Type.Literal('active'), Type.Literal('suspended'), Type.Literal('deleted')]),
  }),
  { additionalProperties: false, minProperties: 1 },
)
export type TenantChange = Static<typeof TenantChange>

export const Tenant = Type.Object({
  tenant_id: Id('ID of the tenant.'),
  tenant_name: Type.String(),
  created_at: Time('When the tenant was created.'),
  status: Type.String(),
  policy: TenantPolicy,
  version: Type.Integer(),
})
export type Tenant = Static<typeof Tenant>

export const TokenRequest = Type.Object(
  {
    token_name: Name('Name of the token in the audit log.'),
    role: Type.Union([Type.Literal('owner'), Type.Literal('editor'), Type.Literal('viewer')]),
    expires_at: Type.Optional(TimeText('When the token expires. Default: never.')),
  },
  { additionalProperties: false },
)
export type TokenRequest = Static<typeof TokenRequest>

export const NewToken = Type.Object({
  token_id: Id('ID of the token, needed to revoke it.'),
  tenant_id: Id('ID of the tenant.'),
  token_name: Type.String(),
  role: Type.String(),
  token: Type.String({ description: 'The token. It is shown only once.' }),
})
export type NewToken = Static<typeof NewToken>

export const Token = Type.Object({
  token_id: Id('ID of the token.'),
  token_name: Type.String(),
  role: Type.String(),
  created_at: Time('When the token was created.'),
  expires_at: nullable(Time('When the token expires.')),
  revoked_at: nullable(Time('When the token was revoked.')),
})
export type Token = Static<typeof Token>

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
export type SecretRequest = Static<typeof SecretRequest>

export const SecretName = Type.Object({ name: Type.String() })
export type SecretName = Static<typeof SecretName>
