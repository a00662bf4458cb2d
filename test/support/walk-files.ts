/** Files of a folder and objects of a bucket as what the jobs of a walk read. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Chance } from './chance.ts'
import { inParquet } from './walk-parquet.ts'
import { TABLES, type Choice, type WalkSource } from './walk-sources.ts'

interface Store {
  type: string
  format: string
  record?: string
  declared?: WalkSource['declared']
  secret?: object
  /** Where names are places of their own: a bucket. */
  roots: string[]
  config(root: string): Record<string, unknown>
  write(root: string, name: string, texts: string[]): Promise<void>
}

/** Files below `in/a` and `in/b` of each root; a job may read one of the folders, or both. */
function filesSource(store: Store): WalkSource {
  const { type, format, record, declared, secret, roots, config, write } = store
  // By root and name, as they are now.
  const files = new Map<string, string[]>()
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
    declared,
    secret,
    places: roots.flatMap((root) =>
      (declared === undefined ? [...TABLES, '*'] : TABLES).map((folder) => `${root}:${folder}`),
    ),
    cursors: [''],
    identity: ({ place }: Choice) => rootOf(place),
    config: ({ place }) => ({
      ...config(rootOf(place)),
      path: `in/${folderOf(place)}/*.${format}`,
      format,
      ...(secret === undefined ? {} : { credentials_secret: 'source' }),
    }),
    async insert(place, texts) {
      const folder = folderOf(place) === '*' ? TABLES[files.size % 2] : folderOf(place)
      // Names come again in the other folder.
      const there = [...files.keys()].filter((key) => key.startsWith(`${rootOf(place)}:in/${folder}/`)).length
      await put(`${rootOf(place)}:in/${folder}/${(there * 7) % 10}-${there}.${format}`, texts)
    },
    async update(_place, text, chance: Chance) {
      // A folder that the zones read as it lies has each name once.
      if (declared !== undefined) return
      // A store may tell changes by size and second: one row more each time.
      for (const [key, texts] of files) if (chance() < 0.2) await put(key, [...texts, ''].map(text))
    },
    async texts({ place }) {
      const folder = folderOf(place)
      const isRead = (key: string): boolean =>
        key.startsWith(`${rootOf(place)}:in/${folder === '*' ? '' : `${folder}/`}`)
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

/** CSV in the tenant's folder, which the zones read as it lies. */
export function csvFolder(tenantFolder: string): WalkSource {
  return filesSource({
    type: 'files',
    format: 'csv',
    record: 'record: { format: csv }\n',
    declared: ({ place }) => `source: { files: { path: in/${place.slice(1)}, pattern: "*.csv" } }\n`,
    roots: [''],
    config: () => ({}),
    write: async (_root, name, texts) => inCsv(texts, join(tenantFolder, name)),
  })
}

/** Whole or not at all. */
function inCsv(texts: string[], path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.part`, `id,text\n${texts.map((text, i) => `${i},${text}\n`).join('')}`)
  renameSync(`${path}.part`, path)
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
    write: async (bucket, name, texts) => inCsv(texts, join(folder, bucket, name)),
  })
}
