/** headrace quote and estimate: the needs and the cost of a job, before it is created, and how right that was. */
import { Option, type Command } from 'commander'
import { SOURCE_TYPES } from '../core/service/source-types.ts'
import type { Client } from './client.ts'
import { jobOfFile } from './job-file.ts'
import { TENANT, type OfTenant } from './options.ts'
import type { Output } from './output.ts'
import { showOne, type Body } from './service-output.ts'

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

interface EstimateFlags {
  source: string
  gb?: number
  complexity?: string
  trackRecord?: boolean
}

function addEstimate(program: Command, client: Client, output: () => Output): void {
  program
    .command('estimate')
    .description('estimate the cores, memory and time of a job, and what to buy for it')
    .requiredOption('--source <type>', `source type: one of ${SOURCE_TYPES.join(', ')}`)
    .option('--gb <n>', 'data volume in GB (default 10)', Number)
    .addOption(
      new Option('--complexity <level>', 'complexity of the transformation').choices([
        'low',
        'medium',
        'high',
      ]),
    )
    .option('--track-record', 'show how right earlier estimates were instead')
    .action(async ({ source, gb, complexity, trackRecord }: EstimateFlags) => {
      if (trackRecord === true) return showTrackRecord(client, output(), source)
      const body = {
        source_type: source,
        ...(gb === undefined ? {} : { data_volume_gb: gb }),
        ...(complexity === undefined ? {} : { transformation_complexity: complexity }),
      }
      showOne(output(), await client.call('POST', '/estimation/calculate', { body }))
    })
}

interface Aggregate extends Body {
  predictions: Body
  by_volume: Body[]
  booked: Body
}

interface TrackRecord extends Body {
  own: (Aggregate & { newest: Body[] }) | null
  installation: Aggregate | null
}

/** Whose runs, how many, and how right; then by volume; then the newest runs of the tenant. */
async function showTrackRecord(client: Client, out: Output, source: string): Promise<void> {
  const query = { source_type: source }
  const body = await client.call<{ items: TrackRecord[] }>('GET', '/estimation/track-record', { query })
  if (out.format === 'json') return out.object({ ...body })
  const { own, installation, runs, needed_runs: needed } = body.items[0]
  const summary = Object.entries({ own, installation }).flatMap(([whose, record]) =>
    record === null ? [] : [{ whose, ...record.predictions, ...record.booked, runs: record.learned_runs }],
  )
  out.rows(summary, `Not enough runs of ${source}: ${runs} of ${needed}. The rule answers.`)
  const volumes = (own ?? installation)?.by_volume ?? []
  if (volumes.length > 0) out.rows(volumes)
  if (own !== null && own.newest.length > 0) out.rows(own.newest)
}
