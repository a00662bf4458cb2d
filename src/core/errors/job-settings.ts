/** Errors in the settings of a job of the service: its source, schedule, secrets, tier and cursor. */
import { row, type ErrorRow } from '../error-row.ts'

export const JOB_SETTING_ERRORS = {
  source_type_unknown: row(
    'configuration',
    422,
    'There is no source type {type}.',
    'The known ones are: {known}.',
  ),
  schedule_invalid: row(
    'configuration',
    422,
    'The schedule {cron} is not one: {reason}.',
    'Write five fields (minute hour day month weekday), for example 0 2 * * *.',
  ),
  setting_missing: row('configuration', 422, '{where} needs {setting}.', 'Add it: {example}'),
  secret_not_found: row(
    'configuration',
    422,
    'There is no secret named {name} for this tenant.',
    'Store it: headrace secrets set {name}',
  ),
  secrets_locked: row(
    'configuration',
    503,
    'The sealed secrets cannot be opened: {reason}.',
    'Check the key file {keyFile}; it is the one that the file was sealed for.',
  ),
  address_denied: row(
    'configuration',
    403,
    '{host} resolves to {address}, which tenants may not reach: {reason}.',
    'Use an address outside of it, or ask an operator to allow it (HEADRACE_ALLOW_HOSTS).',
  ),
  source_unreachable: row(
    'transient',
    503,
    'The source at {address} does not answer: {reason}.',
    'Check host, port and that it runs; the execution is tried again with growing pauses.',
  ),
  source_auth_failed: row(
    'configuration',
    401,
    'The source at {address} refused the login: {reason}.',
    'Check the secret {secret} and what its user may read.',
  ),
  source_without_tls: row(
    'configuration',
    422,
    'The server at {address} does not offer TLS, and a login or rows would go over the network as plain text.',
    'Turn TLS on at the server, or, where the network itself is trusted, set "ssl": "disable" in source_config.',
  ),
  source_not_trusted: row(
    'configuration',
    422,
    'The certificate of {address} was not accepted: {reason}.',
    'Give the authority that signed it as ca (PEM text) and the host name that stands in it; "ssl": "require" does not check it.',
  ),
  source_not_found: row(
    'configuration',
    404,
    'The source at {address} has no {what}.',
    'Check the name; {known}',
  ),
  source_failed: row(
    'data',
    422,
    'The source at {address} failed: {reason}.',
    'Run the same query there by hand; nothing was published.',
  ),
  declaration_too_large: row(
    'configuration',
    413,
    '{what} has {bytes} bytes, more than the {most} that it may have.',
    'Leave out what is not needed (descriptions, sets of values), or split it into two jobs.',
  ),
  check_too_long: row(
    'configuration',
    422,
    'The settings of the job could not be checked within {seconds} s and {memory} MiB of memory.',
    'Make the declaration smaller: fewer rules, columns, namespaces or shorter patterns.',
  ),
  check_busy: row(
    'transient',
    429,
    '{count} jobs of this tenant wait to be checked, as many as may.',
    'Try again in {seconds} s; send changes of jobs one after the other.',
  ),
  tier_unknown: row(
    'configuration',
    422,
    'There is no tier {tier}; there are: {known}.',
    'Name one of them, or ask an operator to define it: headrace tiers set',
  ),
  cursor_invalid: row(
    'configuration',
    422,
    'The cursor column {column} of {table} cannot be used: {reason}.',
    'Declare a column that is not null and only grows, or leave cursor out for full reads.',
  ),
} as const satisfies Record<string, ErrorRow>
