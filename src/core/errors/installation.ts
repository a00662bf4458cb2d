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
    'The lease on {what} is held by {holder} with generation {found}; this process has {expected}.',
    'Nothing was changed. It happens when a process was stopped for long; the other one carries on.',
  ),
  database_unreachable: row(
    'transient',
    503,
    'PostgreSQL at {address} does not answer: {reason}.',
    'Check that it runs; the service goes on by itself when it answers.',
  ),
  database_newer: row(
    'configuration',
    503,
    'A newer headrace has changed the database (migration {migration}).',
    'Use that version, or restore the backup that was made before it.',
  ),
  database_setup: row(
    'configuration',
    503,
    'The database cannot be set up: {reason}.',
    'Give a user that may create roles and owns the database, or run what docs/service.md lists once as an administrator.',
  ),
  service_unreachable: row(
    'transient',
    503,
    'No headrace service answers at {url}: {reason}.',
    'Start one with headrace serve, or check the address of the profile.',
  ),
  backup_damaged: row(
    'data',
    422,
    'The backup in {folder} cannot be used: {reason}.',
    'Use the one before it; nothing was restored.',
  ),
  not_ready: row(
    'transient',
    503,
    'Not ready: {reason}.',
    'Try again in a few seconds; /api/v1/ready says when.',
  ),
} as const satisfies Record<string, ErrorRow>
