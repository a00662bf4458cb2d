/** The commander program: verbs, global options, exit codes (0 done, 1 failed, 2 usage). */
import { Command, CommanderError, Option } from 'commander'
import { addBackup } from '../cli/backup.ts'
import { addBatch } from '../cli/batch.ts'
import { addBench } from '../cli/bench.ts'
import { addDataset } from '../cli/dataset.ts'
import { addDemo } from '../cli/demo.ts'
import { addOffsets } from '../cli/offsets.ts'
import { outputOption } from '../cli/options.ts'
import { createOutput, printError, type Output, type OutputFormat } from '../cli/output.ts'
import { addPrices } from '../cli/prices.ts'
import { addProduce } from '../cli/produce.ts'
import { addQuarantine } from '../cli/quarantine.ts'
import { addStream } from '../cli/stream.ts'
import { addSparkSubmit } from '../cli/spark-submit.ts'
import { addTables } from '../cli/tables.ts'
import { addTest } from '../cli/test.ts'
import { addCapacity, addSlots } from '../cli/capacity.ts'
import { addCompletion } from '../cli/completion.ts'
import { addEstimates } from '../cli/estimates.ts'
import { addExecutions, addWhy } from '../cli/executions.ts'
import { addJobs } from '../cli/jobs.ts'
import { addPromotion } from '../cli/promotion.ts'
import { addServe } from '../cli/serve.ts'
import { addPurchases } from '../cli/purchases.ts'
import { addSecrets } from '../cli/secrets.ts'
import { addSettings } from '../cli/settings.ts'
import { addTenants } from '../cli/tenants.ts'
import { addUsage } from '../cli/usage.ts'
import { addTiers } from '../cli/tiers.ts'
import { addWebhooks } from '../cli/webhooks.ts'
import { addUpkeep } from '../cli/upkeep.ts'
import { createClient } from '../cli/api-client.ts'
import type { App } from '../operations/app.ts'
import { homeFolder } from '../host/home-folder.ts'
import { settingNotes, settings } from '../host/settings.ts'
import { runScript } from './project-scripts.ts'

export async function runCli(version: string): Promise<void> {
  const program = createProgram(version)
  program.hook('preAction', (_, action) => checkSettings(action, createOutput(formatOf(program))))
  try {
    await program.parseAsync()
  } catch (error) {
    process.exitCode = exitCodeOf(error, formatOf(program))
  }
}

/** The whole command line: every command with its options and help. */
export function createProgram(version: string): Command {
  const program = createRoot(version)
  addCommands(program, version, () => createOutput(formatOf(program)))
  letOptionsFollow(program)
  return program
}

function formatOf(program: Command): OutputFormat {
  return program.opts<{ output: string }>().output === 'json' ? 'json' : 'table'
}

function createRoot(version: string): Command {
  return new Command('headrace')
    .description('Ingest Kafka topics and files into open tables, exactly once.')
    .version(`headrace ${version}`)
    .addOption(outputOption().default('table'))
    .option('--config <file>', 'settings file (default: headrace.yaml here or in the home)')
    .enablePositionalOptions(false)
    .showHelpAfterError('(headrace --help lists all commands)')
    .exitOverride()
    .addHelpText(
      'after',
      '\nFirst time? Run ./headrace demo: it runs the service on sample data.\nEvery error ends with the next step. Exit codes: 0 success, 1 failure, 2 wrong usage.',
    )
}

/** The commands, in the order in which the help shows them. */
function addCommands(program: Command, version: string, output: () => Output): void {
  const app = lazyApp(version)
  addDemo(program, output, async (options, out) => (await import('./demo.ts')).runDemo(options, out))
  addTest(program, runScript)
  for (const add of OF_THE_APP) add(program, app, output)
  const client = createClient()
  addServe(program, async (options) => (await import('./serve.ts')).serve(version, options), client, output)
  addBackup(
    program,
    async (verb, folder, { dryRun, say }) => {
      const { backup, restore } = await import('../host/backup.ts')
      return verb === 'backup'
        ? backup({ home: homeFolder(), target: folder, version, say })
        : restore({ home: homeFolder(), source: folder, dryRun, say })
    },
    output,
  )
  for (const add of OF_THE_SERVICE) add(program, client, output)
  addSettings(program, output)
  addBench(program, runScript)
  addCompletion(program)
}

/** Commands that work on this machine, without a service. */
const OF_THE_APP = [
  addDataset,
  addProduce,
  addStream,
  addBatch,
  addSparkSubmit,
  addTables,
  addUpkeep,
  addOffsets,
  addQuarantine,
]

/** Commands that call a service. */
const OF_THE_SERVICE = [
  addTenants,
  addPurchases,
  addUsage,
  addSecrets,
  addWebhooks,
  addTiers,
  addPrices,
  addJobs,
  addPromotion,
  addEstimates,
  addExecutions,
  addWhy,
  addSlots,
  addCapacity,
]

/**
 * A wrong value ends the command before it starts; `headrace settings` shows the list first. An unknown name
 * is only a warning: another version may know it.
 */
function checkSettings(action: Command, out: Output): void {
  if (action.name() !== 'settings') settings()
  for (const note of settingNotes()) out.note(note)
}

/** Allows `--output` and `--config` (which cli.ts has read) after any command, too. */
function letOptionsFollow(program: Command): void {
  for (const command of allCommands(program))
    command
      .exitOverride()
      .showHelpAfterError('(add --help to see the arguments)')
      .addOption(outputOption())
      .addOption(new Option('--config <file>', 'settings file').hideHelp())
  program.hook('preAction', (_, action) => {
    const own = action.opts<{ output?: string }>().output
    if (own !== undefined) program.setOptionValue('output', own)
  })
}

/** Commander has already reported its own errors, and help is no error. Other errors are printed here. */
function exitCodeOf(error: unknown, format: OutputFormat): number {
  if (!(error instanceof CommanderError)) return printError(error, format)
  return error.exitCode === 0 ? 0 : 2
}

/**
 * The use cases, loaded with the first call: --help and wrong arguments must not wait for DuckDB and Kafka.
 */
function lazyApp(version: string): App {
  const known: Record<string, () => unknown> = { version: () => version, home: homeFolder }
  return new Proxy(known, {
    get: (_, name: string) =>
      known[name]?.() ??
      (async (...args: unknown[]) => {
        const { createApp } = await import('./app.ts')
        const method = createApp(version)[name as keyof App] as (...all: unknown[]) => unknown
        return method(...args)
      }),
  }) as unknown as App
}

function allCommands(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...allCommands(child)])
}
