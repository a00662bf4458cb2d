/** Checks a job before it runs: missing settings, an invalid schedule, a missing secret. */
import { tlsOf, type TlsConfig } from '../connectors/database-tls.ts'
import { treatmentOf } from '../connectors/table-source.ts'
import { failure } from '../core/errors.ts'
import type { SourceType } from '../core/service/source-types.ts'
import type { JobFields } from '../state/jobs.ts'
import { timingOf } from '../scheduling/requirements.ts'
import type { Context } from './context.ts'
import { checkColumns } from '../executions/declared-columns.ts'
import { declaredDataset } from '../executions/declared-dataset.ts'
import { isDocuments, isFetched } from '../executions/source-kinds.ts'
import { nextTick } from './ticks.ts'

interface Setting {
  name: string
  example: string
}

const SOURCE_SETTINGS: Record<string, Setting[]> = {
  postgres: [
    { name: 'host', example: '"host": "pg.example.com"' },
    { name: 'database', example: '"database": "shop"' },
    { name: 'table', example: '"table": "public.orders"' },
  ],
  mysql: [
    { name: 'host', example: '"host": "db.example.com"' },
    { name: 'database', example: '"database": "shop"' },
    { name: 'table', example: '"table": "orders"' },
  ],
  s3: [
    { name: 'bucket', example: '"bucket": "landing"' },
    { name: 'path', example: '"path": "orders/*.csv"' },
    { name: 'format', example: '"format": "csv"' },
  ],
  files: [
    { name: 'path', example: '"path": "/data/orders/*.csv"' },
    { name: 'format', example: '"format": "csv"' },
  ],
  sftp: [{ name: 'host', example: '"host": "sftp.example.com"' }],
  kafka: [],
} satisfies Record<SourceType, Setting[]>
const DESTINATION_SETTINGS: Record<string, Setting[]> = {
  local: [{ name: 'path', example: '"path": "/data/lake/orders"' }],
  s3: [
    { name: 'bucket', example: '"bucket": "data-lake"' },
    { name: 'path', example: '"path": "/ingestion/orders/"' },
  ],
  hdfs: [
    { name: 'host', example: '"host": "namenode.example.com"' },
    { name: 'path', example: '"path": "/ingestion/orders"' },
  ],
  zones: [],
}

const LEAST_ZONES_GB = 2

/** Throws the first mistake, with its code and an example. */
export async function checkJob(
  { secrets, now, checker }: Context,
  tenantId: string,
  job: JobFields,
): Promise<void> {
  await checker.check(tenantId, job, now())
  for (const config of [job.source_config, job.destination_config]) {
    const name = config.credentials_secret
    if (name !== undefined && !(await secrets.names(tenantId)).includes(String(name)))
      throw failure('secret_not_found', { name: String(name).slice(0, 100) })
  }
}

/**
 * Checks what the settings alone show. It takes as long as the tenant's text needs, so call it where nothing
 * else waits.
 */
export function checkSettings(job: JobFields, now: Date): void {
  const type = String(job.destination_config.type ?? '').slice(0, 40)
  checkSource(job, type)
  if (!Object.hasOwn(DESTINATION_SETTINGS, type))
    throw failure('setting_missing', {
      where: 'destination_config',
      setting: type === '' ? 'a type' : `a known type instead of ${type}`,
      example: `"type": one of ${Object.keys(DESTINATION_SETTINGS).join(', ')}`,
    })
  requireSettings('destination_config', job.destination_config, DESTINATION_SETTINGS[type])
  if (job.source_type === 'postgres' || job.source_type === 'mysql') checkDatabase(job.source_config)
  const documents =
    ['files', 's3'].includes(job.source_type) && type !== 'zones' && isDocuments(job.source_config)
  if (documents) declaredDataset(job.source_type, job.source_config, true)
  else if (['files', 's3'].includes(job.source_type) && type !== 'zones') checkColumns(job.source_config)
  if (type === 'zones' && job.resource_requirements.memory_gb < LEAST_ZONES_GB)
    throw failure('setting_missing', {
      where: 'resource_requirements',
      setting: `memory_gb of ${LEAST_ZONES_GB} or more, because a stream and its batch need 1.3 GB`,
      example: `"memory_gb": ${LEAST_ZONES_GB}`,
    })
  nextTick(job.schedule_cron, now)
  timingOf(job.resource_requirements, now)
}

/** The settings that the source needs for this type of destination. */
function checkSource(job: JobFields, destination: string): void {
  if (destination === 'zones') {
    declaredDataset(job.source_type, job.source_config)
    if (isFetched(job.source_type, job.source_config))
      requireSettings(
        'source_config',
        job.source_config,
        (SOURCE_SETTINGS[job.source_type] ?? []).filter((setting) => setting.name !== 'format'),
      )
  } else if (job.source_type === 'kafka')
    throw failure('setting_missing', {
      where: 'destination_config',
      setting: 'type zones, because Kafka is read into the zones only',
      example: '"destination_config": { "type": "zones" }',
    })
  else requireSettings('source_config', job.source_config, SOURCE_SETTINGS[job.source_type] ?? [])
}

/** What a connector would refuse at run time. */
function checkDatabase(config: Record<string, unknown>): void {
  treatmentOf(config.unrepresentable)
  tlsOf(config as unknown as TlsConfig, '', {})
}

function requireSettings(where: string, config: Record<string, unknown>, settings: Setting[]): void {
  for (const { name, example } of settings)
    if (typeof config[name] !== 'string' || config[name] === '')
      throw failure('setting_missing', { where, setting: name, example })
}
