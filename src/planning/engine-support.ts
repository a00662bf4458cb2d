/**
 * What Spark cannot do of a declaration, or does differently. Everything else is the same on both engines;
 * the conformance suite proves it.
 */
import type { Dataset } from '../dataset/declaration.ts'

export interface Unsupported {
  /** The field of the declaration. */
  at: string
  what: string
  instead: string
}

/** docs/reference/engines.md lists these rows. */
export const SPARK_LIMITS = {
  files: {
    what: 'a watched folder as source',
    instead: 'stream it with engine: duckdb; batches and upkeep can still run on Spark (--engine spark)',
  },
  doubleKey: {
    what: 'a key with a column of type double, or with an array',
    instead: 'engine: duckdb, or a key of strings, whole numbers, decimals, dates or timestamps',
  },
  settings: {
    what: 'a secret in spark.settings, which Spark shows to everyone who can see the job',
    instead: 'the environment, and the files that AWS tools, Kafka clients and spark.token_file read',
  },
} as const

export function unsupportedOnSpark(dataset: Dataset): Unsupported[] {
  const found: Unsupported[] = []
  if (dataset.source.kind === 'files') found.push({ at: 'source.files', ...SPARK_LIMITS.files })
  for (const name of dataset.processed.key) {
    const column = dataset.columns.find((candidate) => candidate.name === name)
    if (column?.type === 'double' || column?.array)
      found.push({ at: `processed.key (${name})`, ...SPARK_LIMITS.doubleKey })
  }
  for (const name of Object.keys(dataset.spark.settings))
    if (isSecretSetting(name)) found.push({ at: `spark.settings.${name}`, ...SPARK_LIMITS.settings })
  return found
}

/** Whether Spark and Hadoop use this name for a secret. */
export function isSecretSetting(name: string): boolean {
  return /secret|password|token|access\.key|account\.key|jaas/i.test(name)
}
