/** Who starts executions, and when it was seen last: a booking is kept only while somebody does. */
export const sql = `
CREATE TABLE runners (
  runner text PRIMARY KEY,
  cpu_cores integer NOT NULL CHECK (cpu_cores > 0),
  seen_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON runners TO headrace_service;
`
