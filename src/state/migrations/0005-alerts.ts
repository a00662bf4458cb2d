/**
 * Webhooks of the installation, for the operator: they get the events of every tenant. No session of a tenant
 * sees them.
 */
export const sql = `
ALTER TABLE webhooks ALTER COLUMN tenant_id DROP NOT NULL;
`
