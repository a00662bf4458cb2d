/**
 * Only topics and folders can be read continuously. A source that must be fetched (tables, buckets, Parquet)
 * is read when its job runs, also without a schedule. This is isFetched of source-kinds.ts in SQL. Dropping
 * the column drops its index.
 */
export const sql = `
ALTER TABLE ingestion_jobs DROP COLUMN continuous;
ALTER TABLE ingestion_jobs ADD COLUMN continuous boolean NOT NULL GENERATED ALWAYS AS (
  schedule_cron IS NULL
  AND coalesce(destination_config->>'type', '') = 'zones'
  AND (
    source_type = 'kafka'
    OR source_type = 'files' AND coalesce(source_config->>'format', '') <> 'parquet'
  )
) STORED;
CREATE INDEX ingestion_jobs_continuous ON ingestion_jobs (job_id)
  WHERE continuous
    AND status = 'active'
    AND next_run_at IS NULL;
`
