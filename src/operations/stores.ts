/** The store for the path of a table: a local folder, `s3://bucket/prefix`, `hdfs://namenode:8020/path`. */
import { createHash } from 'node:crypto'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { failure } from '../core/errors.ts'
import type { ObjectStore } from '../core/object-store.ts'
import { createLocalStore } from '../lakehouse/stores/local.ts'
import { createStaging, type Staging } from '../lakehouse/stores/staging.ts'
import { homeFolder } from '../host/home-folder.ts'
import { foreignVariable, settings } from '../host/settings.ts'

const REMOTE = /^(s3|s3a|hdfs):\/\/([^/]+)(\/.*)?$/
const WEB_PORT = 9870

export function isRemote(path: string): boolean {
  return /^[a-z0-9]+:\/\//.test(path)
}

/** Clients of remote storage are loaded only for tables there. */
export async function openStore(path: string): Promise<ObjectStore> {
  if (!isRemote(path)) return createLocalStore(path)
  const match = REMOTE.exec(path)
  if (match === null)
    throw failure('not_supported', {
      feature: `storage at ${path}`,
      instead: 'Use a folder, s3://bucket/prefix or hdfs://namenode:8020/path.',
    })
  const [, scheme, host, rest = ''] = match
  const inside = rest.replace(/\/+$/, '')
  if (scheme === 'hdfs') {
    const { createWebHdfsStore } = await import('../lakehouse/stores/webhdfs.ts')
    const http = settings().webhdfs ?? `http://${host.replace(/:\d+$/, '')}:${WEB_PORT}`
    return createWebHdfsStore(
      {
        nameNode: host,
        http: http.replace(/\/+$/, ''),
        path: inside,
        user: foreignVariable('HADOOP_USER_NAME') ?? userInfo().username,
      },
      stagingOf(path),
    )
  }
  const { createS3Store } = await import('../lakehouse/stores/s3.ts')
  return createS3Store(
    {
      bucket: host,
      prefix: inside.replace(/^\//, ''),
      endpoint: foreignVariable('AWS_ENDPOINT_URL_S3') ?? foreignVariable('AWS_ENDPOINT_URL'),
      region: foreignVariable('AWS_REGION') ?? foreignVariable('AWS_DEFAULT_REGION') ?? 'us-east-1',
    },
    stagingOf(path),
  )
}

function stagingOf(path: string): Staging {
  return createStaging(
    join(homeFolder(), 'staging', createHash('sha256').update(path).digest('hex').slice(0, 16)),
    Date.now,
  )
}

/** A path below a table root or a folder of tables, in any store. */
export function pathBelow(base: string, ...names: string[]): string {
  return isRemote(base) ? [base.replace(/\/+$/, ''), ...names].join('/') : join(base, ...names)
}
