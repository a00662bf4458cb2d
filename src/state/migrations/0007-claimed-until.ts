/** Until when bookings may have been claimed, whatever the clock says since: what runs is found by it. */
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
