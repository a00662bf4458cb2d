/**
 * Tokens of an identity provider: what is signed, meant for us and clear is taken; everything else is refused
 * by name.
 */
import { createServer, type Server } from 'node:http'
import { SignJWT, UnsecuredJWT, exportJWK, generateKeyPair, type CryptoKey, type JWTPayload } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testService, type TestService } from '../support/service.ts'

let provider: Server
let issuer: string
let service: TestService
let tenant: { id: string }
let keys: { kid: string; private: CryptoKey; public: CryptoKey }[] = []
const newKey = async (kid: string): Promise<(typeof keys)[0]> => {
  const pair = await generateKeyPair('RS256', { extractable: true })
  return { kid, private: pair.privateKey, public: pair.publicKey }
}

beforeAll(async () => {
  keys = [await newKey('first')]
  provider = createServer((request, response) => {
    void (async () => {
      const body =
        request.url?.endsWith('openid-configuration') === true
          ? { issuer, jwks_uri: `${issuer}/keys` }
          : {
              keys: await Promise.all(
                keys.map(async (key) => ({
                  ...(await exportJWK(key.public)),
                  kid: key.kid,
                  alg: 'RS256',
                  use: 'sig',
                })),
              ),
            }
      response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
    })()
  })
  await new Promise<void>((done) => provider.listen(0, '127.0.0.1', done))
  issuer = `http://127.0.0.1:${(provider.address() as { port: number }).port}`
  Object.assign(process.env, { HEADRACE_OIDC_ISSUER: issuer, HEADRACE_OIDC_AUDIENCE: 'headrace' })
  service = await testService()
  tenant = await service.tenant('acme')
})

afterAll(async () => {
  delete process.env.HEADRACE_OIDC_ISSUER
  delete process.env.HEADRACE_OIDC_AUDIENCE
  provider.closeAllConnections()
  provider.close()
  await service.close()
})

async function token(
  claims: JWTPayload,
  {
    key = keys[0],
    audience = 'headrace',
    from = issuer,
    expires = '5m',
  }: { key?: (typeof keys)[0]; audience?: string; from?: string; expires?: string | number | null } = {},
): Promise<string> {
  const made = new SignJWT({ sub: 'ada', ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: key.kid })
    .setIssuer(from)
    .setAudience(audience)
  return (expires === null ? made : made.setExpirationTime(expires)).sign(key.private)
}
const me = async (bearer: string): Promise<{ status: number; body: Record<string, unknown> }> =>
  service.call('GET', '/me', { token: bearer })
const editor = (): JWTPayload => ({ headrace_role: 'editor', headrace_tenant: tenant.id })

test('a signed token speaks for its subject, in its role, for its tenant and no other', async () => {
  const bearer = await token(editor())
  expect(await me(bearer)).toMatchObject({
    status: 200,
    body: { name: 'oidc ada', role: 'editor', tenant_id: tenant.id },
  })
  expect((await service.call('GET', `/tenants/${tenant.id}/jobs`, { token: bearer })).status).toBe(200)
  expect(
    (await service.call('POST', `/tenants/${tenant.id}/purchases`, { token: bearer, body: {} })).status,
  ).toBe(403)
  const other = await service.tenant('other')
  expect((await service.call('GET', `/tenants/${other.id}/jobs`, { token: bearer })).status).toBe(404)
  expect(await me(await token({ headrace_role: 'operator' }))).toMatchObject({
    status: 200,
    body: { role: 'operator', tenant_id: null },
  })
})

test('tokens of our own go on to work beside it', async () => {
  expect((await me(service.operator)).status).toBe(200)
})

test.each<[string, () => Promise<string>, RegExp]>([
  ['for another service', () => token(editor(), { audience: 'other' }), /aud/],
  ['of another issuer', () => token(editor(), { from: 'https://evil.example.com' }), /iss/],
  ['expired', () => token(editor(), { expires: Math.floor(Date.now() / 1000) - 120 }), /exp/],
  ['that never expires', () => token(editor(), { expires: null }), /exp/],
  ['of nobody', () => token({ ...editor(), sub: undefined }), /sub/],
  [
    'signed by a key that is not published',
    async () => token(editor(), { key: { ...(await newKey('first')), kid: 'first' } }),
    /signature/,
  ],
  [
    'unsigned',
    async () =>
      new UnsecuredJWT({ sub: 'ada', ...editor() })
        .setIssuer(issuer)
        .setAudience('headrace')
        .setExpirationTime('5m')
        .encode()
        .replace(/\.$/, '.x'),
    /alg|none/i,
  ],
  [
    'signed with the public key as a shared secret',
    async () =>
      new SignJWT({ sub: 'ada', ...editor() })
        .setProtectedHeader({ alg: 'HS256', kid: 'first' })
        .setIssuer(issuer)
        .setAudience('headrace')
        .setExpirationTime('5m')
        .sign(Buffer.from(JSON.stringify(await exportJWK(keys[0].public)))),
    /alg/,
  ],
  ['without a role', () => token({ headrace_tenant: tenant.id }), /headrace_role/],
  [
    'with a role that is none',
    () => token({ headrace_role: 'root', headrace_tenant: tenant.id }),
    /headrace_role/,
  ],
  ['without a tenant', () => token({ headrace_role: 'owner' }), /headrace_tenant/],
  [
    'with a tenant that is no id',
    () => token({ headrace_role: 'owner', headrace_tenant: "x' OR true" }),
    /headrace_tenant/,
  ],
  [
    'of an operator that names a tenant',
    () => token({ headrace_role: 'operator', headrace_tenant: tenant.id }),
    /operator/,
  ],
  [
    'for a tenant that is not there',
    () => token({ headrace_role: 'owner', headrace_tenant: '00000000-0000-4000-8000-000000000000' }),
    /unknown/,
  ],
])('%s: refused by name', async (_, make, reason) => {
  const { status, body } = await me(await make())
  expect(status).toBe(401)
  expect(String(body.detail)).toMatch(reason)
})

test('a tenant that is suspended is suspended for these tokens too', async () => {
  const { id } = await service.tenant('late')
  await service.call('PATCH', `/tenants/${id}`, { body: { status: 'suspended' } })
  expect(await me(await token({ headrace_role: 'owner', headrace_tenant: id }))).toMatchObject({
    status: 403,
    body: { code: 'tenant_suspended' },
  })
})
