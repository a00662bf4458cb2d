/** headrace backup and restore: an installation of one machine, whole. */
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
    .description(
      'copy database, tables and secrets into a new folder, beside a running service; every file is hashed',
    )
    .addHelpText(
      'after',
      '\nThe folder holds the key of the sealed secrets: keep it where only you can read it.',
    )
    .action(async (folder: string) =>
      output().object(await run('backup', folder, { dryRun: false, say: output().say })),
    )
  program
    .command('restore <folder>')
    .description('check a backup and make this (empty) home out of it')
    .addHelpText('after', '\nExample:\n  HEADRACE_HOME=/data/headrace headrace restore /backups/2026-11-25')
    .option('--dry-run', 'check every file of the backup and the place, but restore nothing')
    .action(async (folder: string, flags: { dryRun?: boolean }) =>
      output().object(await run('restore', folder, { dryRun: flags.dryRun === true, say: output().say })),
    )
}
