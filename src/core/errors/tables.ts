/** Errors of files and of the tables in them: paths, disks, versions and writers that meet. */
import { row, type ErrorRow } from '../error-row.ts'

export const TABLE_ERRORS = {
  path_not_found: row(
    'configuration',
    404,
    '{path} does not exist.',
    'Check the path; it is taken relative to {base}.',
  ),
  permission_denied: row(
    'configuration',
    403,
    'No permission to {action} {path}.',
    'Give the user that runs headrace ({user}) this right, or set HEADRACE_HOME to a folder it may write.',
  ),
  storage_full: row(
    'transient',
    507,
    'No space left while writing {path}.',
    'Free space on that disk. Nothing was lost: the job goes on from its last commit by itself when space is back.',
  ),
  storage_failed: row(
    'transient',
    500,
    'The storage refused {action} on {path}: {reason}.',
    'Look at the disk (dmesg, smartctl). The batch was not committed and is written again under new names.',
  ),
  table_not_found: row(
    'configuration',
    404,
    'There is no table at {path}.',
    'Run headrace tables list to see the tables, or headrace stream DATASET to create this one.',
  ),
  table_gone: row(
    'conflict',
    409,
    'The table at {path} existed when this job started and is gone or was replaced.',
    'Restore the folder from a backup, or start the job again to begin a new table; the source is read from {start}.',
  ),
  table_corrupt: row(
    'data',
    500,
    'The log of {path} cannot be read at version {version}: {reason}.',
    'Run headrace tables verify {path}; restore the named file from a backup. Nothing is written until it can be read.',
  ),
  table_unsupported: row(
    'configuration',
    422,
    '{path} needs a Delta feature that is not supported here: {feature}.',
    'Write it with a Delta protocol of reader 1 and writer 2, or read it with Spark.',
  ),
  append_only: row(
    'configuration',
    409,
    'Rows of {path} may not be removed or replaced: its table property delta.appendOnly is true.',
    'Set delta.appendOnly to false with the engine that set it, and try again. Nothing was changed.',
  ),
  version_not_found: row(
    'configuration',
    404,
    'Version {version} of {path} is not available; versions {first} to {last} are.',
    'Choose one of these: headrace tables versions {path}',
  ),
  versions_cleaned: row(
    'conflict',
    409,
    'Version {first} of {path} is no longer in its log, and what was read of it ends at version {version} of {last}: another writer cleaned the log up.',
    'Rows of these versions may be missing in what was made of them. Restore _delta_log from a backup, and let the log live longer (delta.logRetentionDuration).',
  ),
  marks_moved: row(
    'conflict',
    409,
    'Another writer moved {mark} of {path} to {found}; this batch started at {expected}.',
    'Nothing was committed and nothing is lost. Stop one of the two writers; the other carries on.',
  ),
  writer_overtaken: row(
    'conflict',
    409,
    'While this process slept at version {version} of {path}, others went on to version {newest} and cleaned up the log between.',
    'Nothing of this step was committed and nothing is lost. Start it again: it continues from what the table says.',
  ),
  files_gone: row(
    'conflict',
    409,
    'The files that this process wrote for {path} and was about to commit are gone, {file} among them: somebody vacuumed the table while it waited.',
    'Nothing of this step was committed and nothing is lost. Start it again, and vacuum with a longer grace period.',
  ),
  commit_conflict: row(
    'transient',
    409,
    'Version {version} of {path} could not be written after {attempts} attempts, because other writers were quicker.',
    'Try again; if it happens often, fewer writers per table or a longer commit interval help.',
  ),
} as const satisfies Record<string, ErrorRow>
