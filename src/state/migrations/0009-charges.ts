/**
 * What executions are charged for beside what they used: booked cores times the seconds that they ran. What
 * ended before was charged for the CPU that was measured.
 */
export const sql = `
ALTER TABLE resource_consumption
  ADD COLUMN booked_microseconds bigint NOT NULL DEFAULT 0 CHECK (booked_microseconds >= 0),
  ADD COLUMN charged_microseconds bigint NOT NULL DEFAULT 0 CHECK (charged_microseconds >= 0);
UPDATE resource_consumption
SET
  booked_microseconds = cpu_microseconds,
  charged_microseconds = CASE WHEN namespace = 'vcpu-hours-ns' THEN cpu_microseconds ELSE 0 END;
`
