/**
 * The database checks access again: `headrace_app` serves tenants and sees only the rows of the tenant that
 * its session names; `headrace_service` runs the scheduler and serves operators. Neither owns anything.
 */
export const sql = String.raw`
DO $$
BEGIN
  CREATE ROLE headrace_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOINHERIT;
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$
BEGIN
  CREATE ROLE headrace_service NOLOGIN NOSUPERUSER NOBYPASSRLS NOINHERIT;
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$
BEGIN
  EXECUTE format('GRANT headrace_app, headrace_service TO %I', current_user);
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO headrace_app, headrace_service', current_schema());
END $$;

CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('headrace.tenant_id', true), '')::uuid $$;

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY[
    'tenants', 'access_tokens', 'resource_purchases', 'ledger_lots', 'ledger_entries', 'ingestion_jobs',
    'job_executions', 'queued_executions', 'bookings', 'resource_consumption', 'tenant_slots',
    'tenant_shares', 'idempotency_keys', 'events', 'webhooks'
  ] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format(
      'CREATE POLICY own_rows ON %I TO headrace_app
        USING (tenant_id = current_tenant())
        WITH CHECK (tenant_id = current_tenant())',
      name
    );
    EXECUTE format('CREATE POLICY all_rows ON %I TO headrace_service USING (true) WITH CHECK (true)', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO headrace_app', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO headrace_service', name);
  END LOOP;
  FOREACH name IN ARRAY ARRAY['price_lists', 'capacity_slots', 'leases', 'installation'] LOOP
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO headrace_service', name);
  END LOOP;
END $$;
GRANT SELECT ON price_lists, capacity_slots, installation TO headrace_app;
GRANT DELETE ON webhooks TO headrace_app;
REVOKE UPDATE ON ledger_entries, events FROM headrace_app, headrace_service;
REVOKE INSERT, UPDATE ON access_tokens FROM headrace_app;
`
