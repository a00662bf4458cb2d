/** The JSON file of a job, for create, change and quote: an example, and the declaration that it names. */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { failure } from '../core/errors.ts'
import { jsonFile } from './options.ts'

/** The content of the file as a body for the API: `declaration_file` becomes the text of that file. */
export function jobOfFile(file: string): unknown {
  const body = jsonFile(file) as { source_config?: Record<string, unknown> }
  const { declaration_file: named, ...config } = body.source_config ?? {}
  return named === undefined
    ? body
    : {
        ...body,
        source_config: {
          ...config,
          declaration: declarationOf(resolve(file === '-' ? '.' : dirname(file), String(named))),
        },
      }
}

function declarationOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw failure('path_not_found', { path, base: 'the folder of the job file' }, error)
  }
}

export const JOB_HELP = `
Example:
  {
    "job_name": "orders-daily",
    "source_type": "postgres",
    "source_config": { "host": "pg.example.com", "database": "shop", "table": "public.orders", "credentials_secret": "pg-secret" },
    "destination_config": { "type": "local", "path": "orders", "format": "parquet" },
    "schedule_cron": "0 2 * * *",
    "resource_requirements": { "cpu_cores": 2, "memory_gb": 4, "estimated_runtime_minutes": 30 },
    "sla_requirements": { "max_runtime_minutes": 60, "priority": "medium" }
  }
Continuous stream into the zones (with schedule_cron, it runs on schedule and publishes after each run):
  { "job_name": "books", "source_type": "kafka", "source_config": { "declaration_file": "datasets/books.yaml" },
    "destination_config": { "type": "zones" }, "resource_requirements": { "cpu_cores": 2, "memory_gb": 2, "estimated_runtime_minutes": 10 } }
Then run the draft and promote the job:
  headrace jobs run orders-daily --wait
  headrace promote orders-daily`
