/** headrace quote and estimate: the needs and the cost of a job, before it is created. */
import { Option, type Command } from 'commander'
import type { Client } from './client.ts'
import { jobOfFile } from './job-file.ts'
import { TENANT, type OfTenant } from './options.ts'
import type { Output } from './output.ts'
import { showOne } from './service-output.ts'

export function addEstimates(program: Command, client: Client, output: () => Output): void {
  addQuote(program, client, output)
  addEstimate(program, client, output)
}

function addQuote(program: Command, client: Client, output: () => Output): void {
  program
    .command('quote')
    .description('show when a job would run and what it would cost if you submitted it now')
    .requiredOption('-f, --file <path>', 'JSON file of the job (- for standard input)')
    .option(...TENANT)
    .action(async (flags: OfTenant & { file: string }) => {
      const quotes = `/tenants/${await client.tenant(flags.tenant)}/quotes`
      showOne(output(), await client.call('POST', quotes, { body: jobOfFile(flags.file) }))
    })
}

function addEstimate(program: Command, client: Client, output: () => Output): void {
  program
    .command('estimate')
    .description('estimate the cores, memory and time of a job, and what to buy for it')
    .requiredOption('--source <type>', 'source type: postgres, mysql, s3, files, sftp or kafka')
    .option('--gb <n>', 'data volume in GB (default 10)', Number)
    .addOption(
      new Option('--complexity <level>', 'complexity of the transformation').choices([
        'low',
        'medium',
        'high',
      ]),
    )
    .action(async (flags: { source: string; gb?: number; complexity?: string }) => {
      const body = {
        source_type: flags.source,
        ...(flags.gb === undefined ? {} : { data_volume_gb: flags.gb }),
        ...(flags.complexity === undefined ? {} : { transformation_complexity: flags.complexity }),
      }
      showOne(output(), await client.call('POST', '/estimation/calculate', { body }))
    })
}
