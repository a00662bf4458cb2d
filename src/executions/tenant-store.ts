/**
 * Object stores of a tenant: opened with the logins of its own secret, never with those of this installation,
 * and only through the checked way to the network.
 */
import { failure } from '../core/errors.ts'
import type { ObjectStore } from '../core/object-store.ts'
import { settings } from '../host/settings.ts'
import { createStaging } from '../lakehouse/stores/staging.ts'
import { egressPolicy, guardedAgents } from '../net/dial.ts'

export interface StoreConfig {
  type: 's3' | 'hdfs'
  bucket?: string
  /** Below the bucket, or absolute on HDFS. */
  path?: string
  /** Of an S3 server other than Amazon's. */
  endpoint?: string
  region?: string
  /** For HDFS: the name node, and its HTTP port. */
  host?: string
  port?: number
  credentials_secret?: string
}

/** Copies lie in `folder`, under names from `fileOf`. Throws `setting_missing` for an incomplete login. */
export async function openTenantStore(
  config: StoreConfig,
  secret: Record<string, string> | undefined,
  folder: string,
  fileOf?: (name: string) => string,
): Promise<ObjectStore> {
  const staging = createStaging(folder, Date.now, fileOf)
  const agents = guardedAgents(egressPolicy(settings()))
  if (config.type === 'hdfs') {
    const { createWebHdfsStore } = await import('../lakehouse/stores/webhdfs.ts')
    const http = `http://${String(config.host)}:${config.port ?? 9870}`
    return createWebHdfsStore(
      {
        nameNode: String(config.host),
        http,
        path: `/${inside(config.path)}`,
        user: secret?.username ?? 'headrace',
        agents,
      },
      staging,
    )
  }
  const name = config.credentials_secret ?? 'credentials_secret'
  const [accessKeyId, secretAccessKey] = [secret?.access_key_id, secret?.secret_access_key]
  if (accessKeyId === undefined || secretAccessKey === undefined)
    throw failure('setting_missing', {
      where: `the secret ${name}`,
      setting: 'access_key_id and secret_access_key',
      example: `headrace secrets set ${name} --from-file FILE, a JSON object with these fields`,
    })
  const { createS3Store } = await import('../lakehouse/stores/s3.ts')
  const credentials = { accessKeyId, secretAccessKey, sessionToken: secret?.session_token }
  return createS3Store(
    {
      bucket: String(config.bucket),
      prefix: inside(config.path),
      endpoint: config.endpoint,
      region: config.region ?? 'us-east-1',
      credentials,
      agents,
    },
    staging,
  )
}

const inside = (path = ''): string => path.replace(/^\/+|\/+$/g, '')
