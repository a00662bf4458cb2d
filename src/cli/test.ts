/** headrace test: sets up what the tests need and runs them. */
import type { Command } from 'commander'

export function addTest(program: Command, run: (script: string, args: string[]) => Promise<number>): void {
  program
    .command('test [filter...]')
    .description('set up the test dependencies and run the tests; ends with "N passed, N failed, N skipped"')
    .option('--long <name>', 'run this long suite instead (see --list)')
    .option('--list', 'list the long suites')
    .action(async (filter: string[], options: { long?: string; list?: boolean }) => {
      const args = [
        ...filter,
        ...(options.long === undefined ? [] : ['--long', options.long]),
        ...(options.list ? ['--list'] : []),
      ]
      process.exitCode = await run('scripts/test.ts', args)
    })
}
