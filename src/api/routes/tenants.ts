/** Tenants, tokens, webhooks and secrets. */
import { nothing, versioned, type Route } from '../route.ts'
import { AlertRequest, Id, NamedPageQuery, NewToken, SecretName, SecretRequest, Tenant, TenantChange, TenantPath, TenantRequest, Token, TokenRequest, Type, Webhook, WebhookRequest, page } from '../schemas.ts'

const tenantPath = Type.Object(TenantPath)
const tokenPath = Type.Object({ ...TenantPath, token_id: Id('The token.') })
const hookPath = Type.Object({ ...TenantPath, webhook_id: Id('The webhook.') })
const secretPath = Type.Object({ ...TenantPath, name: Type.String({ pattern: '^[A-Za-z0-9._-]{1,100}$', description: 'Name of the secret.' }) })

export const TENANT_ROUTES: Route[] = [
  { method: 'POST', path: '/tenants', summary: 'Make a tenant', tag: 'tenants', needs: 'operator', body: TenantRequest, answer: Tenant, status: 201, run: async (service, { by, body }) => ({ body: await service.createTenant(by, body) }) },
  { method: 'GET', path: '/tenants', summary: 'List tenants', tag: 'tenants', needs: 'operator', query: Type.Object(NamedPageQuery), answer: page(Tenant), status: 200, run: async (service, { query }) => ({ body: await service.listTenants(query as never) }) },
  {
    method: 'GET', path: '/tenants/:tenant_id', summary: 'A tenant', tag: 'tenants', needs: 'viewer', params: tenantPath, answer: Tenant, status: 200, versioned: true,
    run: (service, { tenantId }) => versioned(service.getTenant(tenantId)),
  },
  {
    method: 'PATCH', path: '/tenants/:tenant_id', summary: 'Change a tenant', tag: 'tenants', needs: 'operator', params: tenantPath, body: TenantChange, answer: Type.Partial(Tenant), status: 200, versioned: true,
    run: (service, { by, tenantId, version, body }) => versioned(service.changeTenant(by, tenantId, version, body)),
  },
  { method: 'POST', path: '/tenants/:tenant_id/tokens', summary: 'Make a token; it is shown once', tag: 'tenants', needs: 'owner', params: tenantPath, body: TokenRequest, answer: NewToken, status: 201, run: async (service, { by, tenantId, body }) => ({ body: await service.createToken(by, tenantId, body) }) },
  { method: 'GET', path: '/tenants/:tenant_id/tokens', summary: 'List tokens, without their values', tag: 'tenants', needs: 'owner', params: tenantPath, answer: page(Token), status: 200, run: async (service, { tenantId }) => ({ body: await service.listTokens(tenantId) }) },
  {
    method: 'DELETE', path: '/tenants/:tenant_id/tokens/:token_id', summary: 'Revoke a token', tag: 'tenants', needs: 'owner', params: tokenPath, status: 204,
    run: (service, { by, tenantId, path }) => nothing(service.revokeToken(by, tenantId, path.token_id)),
  },
  { method: 'POST', path: '/tenants/:tenant_id/webhooks', summary: 'Be told of events at a URL', tag: 'events', needs: 'owner', params: tenantPath, body: WebhookRequest, answer: Webhook, status: 201, run: async (service, { by, tenantId, body }) => ({ body: await service.createWebhook(by, tenantId, body) }) },
  { method: 'GET', path: '/tenants/:tenant_id/webhooks', summary: 'List webhooks', tag: 'events', needs: 'viewer', params: tenantPath, answer: page(Webhook), status: 200, run: async (service, { tenantId }) => ({ body: await service.listWebhooks(tenantId) }) },
  {
    method: 'DELETE', path: '/tenants/:tenant_id/webhooks/:webhook_id', summary: 'Delete a webhook', tag: 'events', needs: 'owner', params: hookPath, status: 204,
    run: (service, { by, tenantId, path }) => nothing(service.deleteWebhook(by, tenantId, path.webhook_id)),
  },
  { method: 'POST', path: '/webhooks', summary: 'Be told of every tenant\'s events and the service\'s own, at a URL or by mail', tag: 'events', needs: 'operator', body: AlertRequest, answer: Webhook, status: 201, run: async (service, { by, body }) => ({ body: await service.createWebhook(by, undefined, body) }) },
  { method: 'GET', path: '/webhooks', summary: 'List the installation\'s webhooks', tag: 'events', needs: 'operator', answer: page(Webhook), status: 200, run: async (service) => ({ body: await service.listWebhooks(undefined) }) },
  {
    method: 'DELETE', path: '/webhooks/:webhook_id', summary: 'Delete a webhook of the installation', tag: 'events', needs: 'operator', params: Type.Object({ webhook_id: Id('The webhook.') }), status: 204,
    run: (service, { by, path }) => nothing(service.deleteWebhook(by, undefined, path.webhook_id)),
  },
  {
    method: 'PUT', path: '/tenants/:tenant_id/secrets/:name', summary: 'Store a secret; it is never given back', tag: 'secrets', needs: 'editor', params: secretPath, body: SecretRequest, status: 204,
    run: (service, { by, tenantId, path, body }) => nothing(service.setSecret(by, tenantId, path.name, (body as { value: Record<string, string> }).value)),
  },
  { method: 'GET', path: '/tenants/:tenant_id/secrets', summary: 'Names of secrets', tag: 'secrets', needs: 'viewer', params: tenantPath, answer: page(SecretName), status: 200, run: async (service, { tenantId }) => ({ body: await service.listSecrets(tenantId) }) },
  {
    method: 'DELETE', path: '/tenants/:tenant_id/secrets/:name', summary: 'Delete a secret', tag: 'secrets', needs: 'editor', params: secretPath, status: 204,
    run: (service, { by, tenantId, path }) => nothing(service.deleteSecret(by, tenantId, path.name)),
  },
]
