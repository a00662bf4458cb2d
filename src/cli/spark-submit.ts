/** headrace spark-submit: submits a Spark application sized for a job, and runs the job on it. */
import { Option, type Command } from 'commander'
import type { App, SubmitOptions } from '../operations/app.ts'
import { stopSignal, wholeNumber } from './options.ts'
import type { Output } from './output.ts'

type Flags = Omit<SubmitOptions, 'print' | 'untilCaughtUp' | 'signal' | 'say'> & {
  print?: boolean
  untilCaughtUp?: boolean
}

export function addSparkSubmit(program: Command, app: App, output: () => Output): void {
  program
    .command('spark-submit <dataset>')
    .description('submit a Spark application sized for a job, and run the job on it')
    .addOption(new Option('--job <job>', 'job to run').choices(['stream', 'batch']).default('stream'))
    .option(
      '--master <url>',
      'local[n], spark://host:7077, yarn or k8s://... (default: spark.master of the declaration)',
    )
    .addOption(
      new Option(
        '--deploy-mode <mode>',
        'client: the driver runs here; cluster: it runs in the cluster, and the job attaches with --connect',
      )
        .choices(['client', 'cluster'])
        .default('client'),
    )
    .option('--properties <file>', 'properties file (spark-defaults.conf); its sizing overrides the default')
    .option('--executors <n>', 'number of executors (default: stream 5, batch 10)', wholeNumber)
    .option('--executor-cores <n>', 'cores per executor (default: stream 2, batch 4)', wholeNumber)
    .option('--executor-memory <size>', 'heap per executor (default 4g)')
    .option(
      '--rate <n>',
      'target rate for the sizing advice: messages (stream) or rows (batch) per second',
      wholeNumber,
    )
    .option('--until-caught-up', 'stream: stop when everything present at the start is committed')
    .option('--print', 'print the submission and the advice, but submit nothing')
    .addHelpText(
      'after',
      '\nExamples:\n  headrace spark-submit books --print\n  headrace spark-submit books --master spark://host:7077 --properties prod.conf\n  headrace spark-submit books --job batch --deploy-mode cluster --master k8s://https://host:6443 --print\n\nThe token of the server is passed in the environment (SPARK_CONNECT_AUTHENTICATE_TOKEN), never as an argument.',
    )
    .action(async (dataset: string, flags: Flags) => {
      const out = output()
      const result = await app.sparkSubmit(dataset, {
        ...flags,
        print: flags.print === true,
        untilCaughtUp: flags.untilCaughtUp === true,
        signal: stopSignal(),
        say: out.note,
      })
      if (out.format === 'json') out.object({ ...result })
      else {
        out.text(result.command)
        out.text(result.advice ?? 'No advice yet: no run of this dataset on Spark was measured.')
        if (result.attach !== null)
          out.text(`Then, on a machine that reaches the port of the server:\n  ${result.attach}`)
        if (result.result !== null) out.object(result.result)
      }
    })
}
