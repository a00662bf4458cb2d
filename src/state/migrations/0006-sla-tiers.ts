/** Tiers of service that the operator defines, by name. */
export const sql = `
ALTER TABLE installation ADD COLUMN sla_tiers jsonb NOT NULL DEFAULT '{}';
`
