/** headrace bench: ratios against stated rivals, measured alternately. */
import type { Command } from 'commander'

export function addBench(program: Command, run: (script: string, args: string[]) => Promise<number>): void {
  program
    .command('bench [name]')
    .description(
      'measure against rivals, alternately: stream, xml, freshness, hourly, restart, spark, admission, routes, transfer',
    )
    .option('--rival <name>', 'compare with this rival only')
    .option('--pairs <n>', 'number of pairs of runs')
    .action(
      async (name: string | undefined, options: { rival?: string; pairs?: string }, command: Command) => {
        const json = (command.optsWithGlobals() as { output?: string }).output === 'json'
        const args = [
          ...(name === undefined ? [] : [name]),
          ...(options.rival === undefined ? [] : ['--rival', options.rival]),
          ...(options.pairs === undefined ? [] : ['--pairs', options.pairs]),
          ...(json ? ['--json'] : []),
        ]
        process.exitCode = await run('test/performance/bench.ts', args)
      },
    )
}
