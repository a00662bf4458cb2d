/** Errors in the settings of a job of the service: its source, schedule, secrets, tier and cursor. */
import { row, type ErrorRow } from '../error-row.ts'

export const JOB_SETTING_ERRORS = {
  source_type_unknown: row(
    'configuration',
    422,
    'There is no source type {type}.',
    'Use one of these: {known}.',
  ),
  schedule_invalid: row(
    'configuration',
    422,
    'Invalid schedule {cron}: {reason}.',
    'Write five fields (minute hour day month weekday), for example 0 2 * * * for 02:00 UTC each day.',
  ),
  setting_missing: row('configuration', 422, '{where} needs {setting}.', 'Add it: {example}'),
  secret_not_found: row(
    'configuration',
    422,
    'This tenant has no secret named {name}.',
    'Store it: headrace secrets set {name}',
  ),
  secrets_locked: row(
    'configuration',
    503,
    'The sealed secrets cannot be opened: {reason}.',
    'Check that {keyFile} is the key that the secrets were sealed with.',
  ),
  address_denied: row(
    'configuration',
    403,
    '{host} resolves to {address}, which tenants may not reach: {reason}.',
    'Use another address, or ask an operator to allow this one (HEADRACE_ALLOW_HOSTS).',
  ),
  source_unreachable: row(
    'transient',
    503,
    'No usable answer from {address}: {reason}.',
    'Check host and port, and that the server runs. Headrace tries again, with growing pauses.',
  ),
  source_auth_failed: row(
    'configuration',
    401,
    'The source at {address} refused the login: {reason}.',
    'Check the secret that {secret} names, and the permissions of its user.',
  ),
  source_without_tls: row(
    'configuration',
    422,
    'The server at {address} does not offer TLS. Login and rows would cross the network as plain text.',
    'Enable TLS on the server. If you trust the network, set "ssl": "disable" in source_config.',
  ),
  source_not_trusted: row(
    'configuration',
    422,
    'The certificate of {address} was not accepted: {reason}.',
    'Set ca to the PEM text of the authority that signed the certificate, and host to a name in the certificate. With "ssl": "require", Headrace does not check the certificate.',
  ),
  source_not_found: row(
    'configuration',
    404,
    'The source at {address} has no {what}.',
    'Check the name. {known}',
  ),
  source_failed: row(
    'data',
    422,
    'The source at {address} failed: {reason}.',
    'Nothing was published. Run the same query on the source to find the cause.',
  ),
  declaration_too_large: row(
    'configuration',
    413,
    '{what} has {bytes} bytes. The limit is {most}.',
    'Remove what is not needed (descriptions, long lists of values), or split the job in two.',
  ),
  check_too_long: row(
    'configuration',
    422,
    'Checking the settings of the job took more than {seconds} s or more than {memory} MiB of memory.',
    'Simplify the declaration: fewer rules, columns or namespaces, or shorter patterns.',
  ),
  check_busy: row(
    'transient',
    429,
    'The limit of {count} jobs of one tenant that wait to be checked is reached.',
    'Retry in {seconds} s. Send changes of jobs one after the other.',
  ),
  tier_unknown: row(
    'configuration',
    422,
    'There is no tier {tier}. Known tiers: {known}.',
    'Use a known tier, or ask an operator to define this one: headrace tiers set -f FILE',
  ),
  cursor_invalid: row(
    'configuration',
    422,
    'The cursor column {column} of {table} cannot be used: {reason}.',
    'Use a column that is never null and whose values only grow, or remove cursor to read the whole table each time.',
  ),
} as const satisfies Record<string, ErrorRow>
