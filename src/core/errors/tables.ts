/** Errors of files and of the tables in them: paths, disks, versions and writers that meet. */
import { row, type ErrorRow } from '../error-row.ts'

export const TABLE_ERRORS = {
  path_not_found: row(
    'configuration',
    404,
    '{path} does not exist.',
    'Check the path. Relative paths start at {base}.',
  ),
  permission_denied: row(
    'configuration',
    403,
    'No permission to {action} {path}.',
    'Give {user} this permission. To store data elsewhere, set HEADRACE_HOME to a folder that can be written.',
  ),
  storage_full: row(
    'transient',
    507,
    'No space left while writing {path}.',
    'Free space on that disk. No data is lost: the job continues from its last commit as soon as there is space.',
  ),
  storage_failed: row(
    'transient',
    500,
    'The storage failed to {action} {path}: {reason}.',
    'Check the disk (dmesg, smartctl). The batch was not committed; Headrace writes it again under new file names.',
  ),
  table_not_found: row(
    'configuration',
    404,
    'There is no table at {path}.',
    'To see the tables: headrace tables list. To create this one: headrace stream DATASET',
  ),
  table_gone: row(
    'conflict',
    409,
    'The table at {path} existed when this job started. It was deleted or replaced since.',
    'Restore the folder from a backup. Or start the job again: it creates a new table and reads the source from {start}.',
  ),
  table_corrupt: row(
    'data',
    500,
    'The log of {path} cannot be read (version {version}): {reason}.',
    'Run headrace tables verify {path}, then restore the damaged file from a backup. Headrace writes nothing until the log can be read.',
  ),
  table_unsupported: row(
    'configuration',
    422,
    '{path} needs a Delta feature that Headrace does not support: {feature}.',
    'Write the table with Delta protocol reader 1 and writer 2, or read it with Spark.',
  ),
  append_only: row(
    'configuration',
    409,
    'Rows of {path} cannot be removed or replaced: its table property delta.appendOnly is true.',
    'Nothing was changed. Set delta.appendOnly to false with the engine that set it, then try again.',
  ),
  version_not_found: row(
    'configuration',
    404,
    'Version {version} of {path} is not available. Versions {first} to {last} are.',
    'Choose an available version: headrace tables versions {path}',
  ),
  versions_cleaned: row(
    'conflict',
    409,
    'Version {first} of {path} is no longer in its log: another writer cleaned the log up. Headrace has read up to version {version}; the newest is {last}.',
    'Rows of the missing versions may be missing in what was made of this table. Restore _delta_log from a backup, and keep the log longer (delta.logRetentionDuration).',
  ),
  marks_moved: row(
    'conflict',
    409,
    'Another writer moved {mark} of {path} to {found}. This batch started at {expected}.',
    'Nothing was committed and no data is lost. Stop one of the two writers; the other continues.',
  ),
  writer_overtaken: row(
    'conflict',
    409,
    'This process was paused at version {version} of {path}. Other writers have reached version {newest} since and cleaned up the log in between.',
    'Nothing of this step was committed and no data is lost. Start it again; it continues from the state of the table.',
  ),
  files_gone: row(
    'conflict',
    409,
    'Files that this process wrote for {path} are gone before their commit, for example {file}: another process vacuumed the table.',
    'Nothing of this step was committed and no data is lost. Start it again, and vacuum with a longer grace period.',
  ),
  commit_conflict: row(
    'transient',
    409,
    'Version {version} of {path} could not be committed in {attempts} attempts: other writers were faster.',
    'Try again. If this happens often, use fewer writers per table or a longer stream.commit_interval_ms.',
  ),
} as const satisfies Record<string, ErrorRow>
