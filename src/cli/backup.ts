/** headrace backup and restore: a whole installation of one machine. */
import type { Command } from 'commander'
import type { Output } from './output.ts'

export function addBackup(
  program: Command,
  run: (
    verb: 'backup' | 'restore',
    folder: string,
    options: { dryRun: boolean; say(text: string): void },
  ) => Promise<Record<string, unknown>>,
  output: () => Output,
): void {
  program
    .command('backup <folder>')
    .description('copy the database, tables and secrets to a new folder; the service can keep running')
    .addHelpText(
      'after',
      '\nEvery file is hashed. The folder contains the key of the sealed secrets: store it where only you can read it.\n\nExample:\n  headrace backup /backups/2026-11-25',
    )
    .action(async (folder: string) =>
      output().object(await run('backup', folder, { dryRun: false, say: output().say })),
    )
  program
    .command('restore <folder>')
    .description('check a backup and restore it into this (empty) HEADRACE_HOME')
    .addHelpText('after', '\nExample:\n  HEADRACE_HOME=/data/headrace headrace restore /backups/2026-11-25')
    .option('--dry-run', 'check the backup and the target, but restore nothing')
    .action(async (folder: string, flags: { dryRun?: boolean }) =>
      output().object(await run('restore', folder, { dryRun: flags.dryRun === true, say: output().say })),
    )
}
