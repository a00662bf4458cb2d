/** Files of a folder and objects of a bucket as what the jobs of a walk read. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Chance } from './chance.ts'
import { inParquet } from './walk-parquet.ts'
import { TABLES, type Choice, type WalkSource } from './walk-sources.ts'

interface Store {
  type: string
  format: string
  record?: string
  secret?: object
  /** Where names are places of their own: a bucket. */
  roots: string[]
  config(root: string): Record<string, unknown>
  write(root: string, name: string, texts: string[]): Promise<void>
}

/** Files below `in/a` and `in/b` of each root; a job may read one of the folders, or both. */
function filesSource({ type, format, record, secret, roots, config, write }: Store): WalkSource {
  // By root and name, as they are now.
  const files = new Map<string, string[]>()
  let written = 0
  const put = async (key: string, texts: string[]): Promise<void> => {
    const [root, name] = key.split(':')
    await write(root, name, texts)
    files.set(key, texts)
  }
  const rootOf = (place: string): string => place.split(':')[0]
  const folderOf = (place: string): string => place.split(':')[1]
  return {
    type,
    record,
    secret,
    places: roots.flatMap((root) => [...TABLES, '*'].map((folder) => `${root}:${folder}`)),
    cursors: [''],
    identity: ({ place }: Choice) => rootOf(place),
    config: ({ place }) => ({ ...config(rootOf(place)), path: `in/${folderOf(place)}/*.${format}`, format, ...(secret === undefined ? {} : { credentials_secret: 'source' }) }),
    async insert(place, texts) {
      written += 1
      const folder = folderOf(place) === '*' ? TABLES[written % 2] : folderOf(place)
      await put(`${rootOf(place)}:in/${folder}/${written % 3 === 0 ? 'z' : 'm'}${written}.${format}`, texts)
    },
    async update(_place, text, chance: Chance) {
      // A store may tell changes by size and second: one row more each time.
      for (const [key, texts] of files) if (chance() < 0.2) await put(key, [...texts, ''].map(text))
    },
    async texts({ place }) {
      const folder = folderOf(place)
      const isRead = (key: string): boolean => key.startsWith(`${rootOf(place)}:in/${folder === '*' ? '' : `${folder}/`}`)
      return [...files].filter(([key]) => isRead(key)).flatMap(([, texts]) => texts)
    },
    close: async () => undefined,
  }
}

/** Parquet in the tenant's folder. */
export function parquetFolder(tenantFolder: string): WalkSource {
  return filesSource({
    type: 'files',
    format: 'parquet',
    roots: [''],
    config: () => ({}),
    async write(_root, name, texts) {
      mkdirSync(dirname(join(tenantFolder, name)), { recursive: true })
      await inParquet(texts, join(tenantFolder, name))
    },
  })
}

export interface Buckets {
  endpoint: string
  /** A bucket is a folder of it. */
  folder: string
  secret: object
}

/** CSV in two buckets of an S3 server; `prefix`: of this walk. */
export function bucketsSource({ endpoint, folder, secret }: Buckets, walk: string): WalkSource {
  return filesSource({
    type: 's3',
    format: 'csv',
    record: 'record: { format: csv }\n',
    secret,
    roots: [`lake-${walk}`, `pond-${walk}`],
    config: (bucket) => ({ bucket, endpoint }),
    async write(bucket, name, texts) {
      mkdirSync(dirname(join(folder, bucket, name)), { recursive: true })
      writeFileSync(join(folder, bucket, name), `id,text\n${texts.map((text, i) => `${i},${text}\n`).join('')}`)
    },
  })
}
