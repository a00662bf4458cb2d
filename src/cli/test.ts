/** headrace test: sets up what the tests need and runs them. */
import type { Command } from 'commander'

interface TestFlags {
  long?: string
  list?: boolean
  changed?: boolean
  since?: string
}

export function addTest(program: Command, run: (script: string, args: string[]) => Promise<number>): void {
  program
    .command('test [filter...]')
    .description('set up the test dependencies and run the tests; ends with "N passed, N failed, N skipped"')
    .option('--long <name>', 'run this long suite instead (see --list)')
    .option('--list', 'list the long suites')
    .option('--changed', 'run only test files that depend on a file you changed (with --list: list them)')
    .option('--since <commit>', 'the commit that --changed compares with (default: where you left main)')
    .action(async (filter: string[], { long, list, changed, since }: TestFlags) => {
      const args = [
        ...filter,
        ...(long === undefined ? [] : ['--long', long]),
        ...(list === true ? ['--list'] : []),
        ...(changed === true ? ['--changed'] : []),
        ...(since === undefined ? [] : ['--since', since]),
      ]
      process.exitCode = await run('scripts/test.ts', args)
    })
}
