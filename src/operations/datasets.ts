/** Finds datasets by name, and the places of their tables. */
import { access, readFile, readdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { homeFolder } from '../host/home-folder.ts'
import { PACKAGE_ROOT } from '../host/package-root.ts'
import { settings } from '../host/settings.ts'
import { pathBelow, isRemote } from './stores.ts'
import { failure } from '../core/errors.ts'
import { checkDataset, mistakeText } from '../dataset/check.ts'
import type { EngineChoice } from './app.ts'
import type { Dataset } from '../dataset/declaration.ts'

export interface LoadedDataset {
  dataset: Dataset
  path: string
  /** The folder for locks and spills of its runs, and for tables that the declaration does not place. */
  home: string
  rawPath: string
  processedPath: string
  /** Undefined: expired rows are deleted. */
  archivePath: string | undefined
}

/** Loads a declaration by path, or by name from ./datasets or the package. */
export async function loadDataset(nameOrPath: string, engine?: EngineChoice): Promise<LoadedDataset> {
  const path = await findDeclaration(nameOrPath)
  const text = await readFile(path, 'utf8')
  const { dataset, mistakes } = checkDataset(text)
  if (dataset === undefined)
    throw failure('dataset_invalid', {
      path: nameOrPath,
      count: mistakes.length,
      mistakes: mistakes.map(mistakeText).join('\n'),
    })
  const loaded = placeDataset(withEngine(dataset, engine), { path, home: homeFolder(), tables: tablesRoot() })
  applyOverrides(loaded.dataset)
  return loaded
}

/** The engine of a run takes precedence over the declaration. An address of Spark implies Spark. */
function withEngine(dataset: Dataset, choice: EngineChoice = {}): Dataset {
  const { engine, master, connect = settings().spark } = choice
  const placed = choice.master !== undefined || choice.connect !== undefined
  const tokenFile = choice.tokenFile ?? settings().spark_token_file ?? dataset.spark.tokenFile
  const spark = {
    ...dataset.spark,
    tokenFile,
    ...(master === undefined ? {} : { master, connect: '' }),
    ...(connect === undefined || master !== undefined ? {} : { connect: connect.replace(/^sc:\/\//, '') }),
  }
  return { ...dataset, engine: engine ?? (placed ? 'spark' : dataset.engine), spark }
}

/**
 * Places the tables of a dataset. `path`: of its declaration, to which relative paths refer. `tables`: the
 * folder for tables that it does not place.
 */
export function placeDataset(
  dataset: Dataset,
  { path, home, tables = join(home, 'tables') }: { path: string; home: string; tables?: string },
): LoadedDataset {
  const own = pathBelow(tables, dataset.name)
  const base = dirname(path)
  if (dataset.source.kind === 'files') dataset.source.path = resolve(base, dataset.source.path)
  return {
    dataset,
    path,
    home,
    rawPath: dataset.raw.path === '' ? pathBelow(own, 'raw') : placedPath(base, dataset.raw.path),
    archivePath: dataset.raw.archive === '' ? undefined : placedPath(base, dataset.raw.archive),
    processedPath:
      dataset.processed.path === '' ? pathBelow(own, 'processed') : placedPath(base, dataset.processed.path),
  }
}

/** Paths of a declaration are relative to it. */
const placedPath = (base: string, path: string): string => (isRemote(path) ? path : resolve(base, path))

/** The folder for tables that no declaration places. */
export function tablesRoot(): string {
  return settings().tables ?? join(homeFolder(), 'tables')
}

/**
 * Settings that differ between machines, not between datasets: the address of the broker, the watched folder.
 */
function applyOverrides(dataset: Dataset): void {
  const { brokers, folder } = settings()
  if (dataset.source.kind === 'kafka' && brokers !== undefined) dataset.source.brokers = [...brokers]
  if (dataset.source.kind === 'files' && folder !== undefined) dataset.source.path = resolve(folder)
}

async function findDeclaration(nameOrPath: string): Promise<string> {
  const candidates = /\.ya?ml$|\//.test(nameOrPath)
    ? [resolve(nameOrPath)]
    : [
        resolve('datasets', `${nameOrPath}.yaml`),
        join(PACKAGE_ROOT, 'datasets', `${nameOrPath}.yaml`),
        resolve(nameOrPath),
      ]
  for (const candidate of candidates) if (await exists(candidate)) return candidate
  throw failure('dataset_not_found', {
    path: nameOrPath,
    known: (await knownDatasets()).join(', ') || 'none',
  })
}

export async function knownDatasets(): Promise<string[]> {
  const folders = [...new Set([resolve('datasets'), join(PACKAGE_ROOT, 'datasets')])]
  const names = await Promise.all(folders.map((folder) => readdir(folder).catch((): string[] => [])))
  return [
    ...new Set(
      names
        .flat()
        .filter((name) => name.endsWith('.yaml'))
        .map((name) => name.replace(/\.yaml$/, '')),
    ),
  ]
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
