/**
 * Tenants that lend. Each decision needs them: they are few, and this index finds them without reading all
 * others.
 */
export const sql = `
CREATE INDEX tenants_lending ON tenants (tenant_id) WHERE policy->>'lends' = 'true';
`
