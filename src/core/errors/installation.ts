/** Errors of an installation: its settings, and the service's leases, database, backups and readiness. */
import { row, type ErrorRow } from '../error-row.ts'

export const INSTALLATION_ERRORS = {
  setting_invalid: row(
    'configuration',
    503,
    '{setting} must be {expected}, but is {value} (set in {place}).',
    'Correct the value there. To read about the setting: headrace settings {name}',
  ),
  settings_file_invalid: row(
    'configuration',
    503,
    'Cannot read the settings file {path}: {reason}.',
    'Fix the file, or choose another one with --config. docs/reference/settings.md has an example.',
  ),
  lease_lost: row(
    'conflict',
    409,
    'The lease on {what} belongs to {holder} with generation {found}. This process has generation {expected}.',
    'Nothing was changed, and the current holder continues. This happens when a process was paused for a long time.',
  ),
  database_unreachable: row(
    'transient',
    503,
    'PostgreSQL at {address} does not answer: {reason}.',
    'Check that PostgreSQL runs. The service continues as soon as it answers.',
  ),
  database_newer: row(
    'configuration',
    503,
    'A newer version of Headrace changed the database (migration {migration}).',
    'Use that version, or restore the backup that you made before the upgrade: headrace restore FOLDER',
  ),
  service_unreachable: row(
    'transient',
    503,
    'No Headrace service answers at {url}: {reason}.',
    'Start one with headrace serve, or check the address in HEADRACE_URL or in the profile (headrace login).',
  ),
  backup_damaged: row(
    'data',
    422,
    'The backup in {folder} cannot be used: {reason}.',
    'Nothing was restored. Use an earlier backup.',
  ),
} as const satisfies Record<string, ErrorRow>
