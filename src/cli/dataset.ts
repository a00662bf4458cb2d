/** headrace dataset: check and infer declarations, print their JSON Schema. */
import type { Command } from 'commander'
import type { App } from '../operations/app.ts'
import { mistakeText } from '../dataset/check.ts'
import { settings } from '../host/settings.ts'
import { DATASET_SCHEMA } from '../dataset/schema.ts'
import { engineChoice, engineOption, type EngineFlags } from './options.ts'
import type { Output } from './output.ts'

export function addDataset(program: Command, app: App, output: () => Output): void {
  const dataset = program.command('dataset').description('check and draft dataset declarations')
  dataset
    .command('check <file>')
    .description('list all mistakes in a declaration, with line and column')
    .addOption(engineOption())
    .addHelpText('after', '\nWith --engine spark, it also lists the settings that Spark does not support.')
    .action(async (file: string, flags: EngineFlags) => {
      const result = await app.checkDataset(file, engineChoice(flags))
      const out = output()
      if (out.format === 'json')
        out.object({
          file: result.path,
          valid: result.dataset !== undefined,
          mistakes: result.mistakes,
          unsupported: result.unsupported,
        })
      else if (result.dataset !== undefined)
        out.text(
          `${file} is valid: dataset ${result.dataset.name}, ${result.dataset.columns.length} columns, ${result.dataset.source.kind} source.`,
        )
      else
        out.text(
          `${file} has ${result.mistakes.length} mistake(s):\n${result.mistakes.map(mistakeText).join('\n')}`,
        )
      if (out.format !== 'json')
        for (const feature of result.unsupported)
          out.text(`  not supported on Spark: ${feature.at}: ${feature.what}. Instead: ${feature.instead}.`)
      if (result.dataset === undefined || result.unsupported.length > 0) process.exitCode = 1
    })
  dataset
    .command('infer <file-or-topic>')
    .description('draft a declaration from a sample file, or from the newest messages of a topic')
    .option('--name <name>', 'name of the dataset', '')
    .option('--brokers <list>', 'brokers of the topic (default: HEADRACE_BROKERS, or localhost:9092)')
    .option('--record <path>', 'path of the record, if the guess is wrong')
    .action(async (source: string, options: { name: string; brokers?: string; record?: string }) => {
      const draft = await app.inferDataset(source, {
        name: options.name,
        brokers: options.brokers ?? settings().brokers?.join(',') ?? 'localhost:9092',
        record: options.record,
      })
      const out = output()
      if (out.format === 'json') out.object({ ...draft })
      else out.text(draft.yaml)
    })
  dataset
    .command('schema')
    .description('print the JSON Schema of declarations (for editors)')
    .action(() => output().text(JSON.stringify(DATASET_SCHEMA, undefined, 2)))
}
