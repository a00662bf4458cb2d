/**
 * The latest time up to which bookings may have been claimed, even if the clock was set back since. Running
 * executions are found by it.
 */
export const sql = `
ALTER TABLE installation ADD COLUMN claimed_until timestamptz NOT NULL DEFAULT '-infinity';
UPDATE installation
SET claimed_until = coalesce(
  (
    SELECT max(k.booked_from)
    FROM bookings k
    JOIN job_executions x USING (execution_id)
    WHERE x.status = 'running'
  ),
  '-infinity'
);
`
