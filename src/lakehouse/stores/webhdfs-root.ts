/**
 * The calls of WebHDFS below one root, by name: those that the name node answers itself, and those in which a
 * data node receives or sends the bytes.
 */
import { encodePath } from '../../core/table-schema.ts'
import { retryUnreachable, callOnce, orMissing, type Body, type WebHdfsSpec } from './webhdfs-call.ts'

export interface WebHdfs {
  spec: WebHdfsSpec
  root: string
  ask(method: string, name: string, op: string, more?: Record<string, string>): Promise<Buffer>
  /** Creates or replaces in two steps: the name node names the data node that takes the bytes. */
  create(name: string, body: Body): Promise<void>
  open(name: string, more?: Record<string, string>): Promise<Buffer | undefined>
}

export function openRoot(spec: WebHdfsSpec): WebHdfs {
  const root = `hdfs://${spec.nameNode}${spec.path}`
  const url = (name: string, op: string, more: Record<string, string> = {}): string => {
    const path = [spec.path, name].filter((part) => part !== '').join('/')
    return `${spec.http}/webhdfs/v1${encodePath(path)}?${new URLSearchParams({ op, 'user.name': spec.user, ...more }).toString()}`
  }
  const askOnce: WebHdfs['ask'] = (method, name, op, more) =>
    callOnce(spec, { method, url: url(name, op, more), path: `${root}/${name}`, op })
  /** The data node that receives or sends the bytes. */
  const placed: (...of: Parameters<WebHdfs['ask']>) => Promise<string> = async (method, name, op, more) =>
    json<{ Location: string }>(await askOnce(method, name, op, { noredirect: 'true', ...more })).Location
  return {
    spec,
    root,
    ask: (method, name, op, more) => retryUnreachable(() => askOnce(method, name, op, more)),
    create: (name, body) =>
      retryUnreachable(async () => {
        const place = await placed('PUT', name, 'CREATE', { overwrite: 'true' })
        await callOnce(spec, { method: 'PUT', url: place, body, path: `${root}/${name}`, op: 'CREATE' })
      }),
    open: (name, more = {}) =>
      orMissing(() =>
        retryUnreachable(async () => {
          const place = await placed('GET', name, 'OPEN', more)
          return callOnce(spec, { method: 'GET', url: place, path: `${root}/${name}`, op: 'OPEN' })
        }),
      ),
  }
}

export const json = <T>(bytes: Buffer): T => JSON.parse(bytes.toString('utf8')) as T
