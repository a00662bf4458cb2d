/** Tenants that lend, of whom each decision must know: few, and found without a look at all the others. */
export const sql = `
CREATE INDEX tenants_lending ON tenants (tenant_id) WHERE policy->>'lends' = 'true';
`
