/**
 * Webhooks of the installation: the operator's own, told of every tenant's events. No session of a tenant
 * sees them.
 */
export const sql = `
ALTER TABLE webhooks ALTER COLUMN tenant_id DROP NOT NULL;
`
