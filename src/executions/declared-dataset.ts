/** The dataset of a job: the declaration in its source_config, completed by the settings of the job. */
import { failure } from '../core/errors.ts'
import { checkDataset, mistakeText } from '../dataset/check.ts'
import type { Dataset } from '../dataset/declaration.ts'
import { isConverted, isDocuments, isFetched } from './source-kinds.ts'

/**
 * The dataset in the `declaration` of a job. `fetched`: the job, not the declaration, names the source.
 * Throws `setting_missing`, `dataset_invalid` and `not_supported`.
 */
export function declaredDataset(
  sourceType: string,
  config: Record<string, unknown>,
  fetched = isFetched(sourceType, config),
): Dataset {
  const { declaration } = config
  const where = 'source_config'
  if (typeof declaration !== 'string' || declaration === '')
    throw failure('setting_missing', {
      where,
      setting: 'declaration (the text of a dataset declaration)',
      example:
        '"declaration": "dataset: books\\nsource: ..." (headrace jobs create also takes "declaration_file": "books.yaml" and inserts its text)',
    })
  const { dataset, mistakes } = checkDataset(
    fetched ? completed(declaration, sourceType, config) : declaration,
  )
  if (dataset === undefined)
    throw failure('dataset_invalid', {
      path: 'source_config.declaration',
      count: mistakes.length,
      mistakes: mistakes.map(mistakeText).join('\n'),
    })
  if (!fetched && dataset.source.kind !== sourceType)
    throw failure('setting_missing', {
      where,
      setting: `a declaration whose source is ${sourceType}, not ${dataset.source.kind}`,
      example: `"source_type": "${dataset.source.kind}"`,
    })
  if (dataset.engine === 'spark')
    throw failure('not_supported', {
      feature: 'engine: spark in a job of the service',
      instead:
        'Remove engine, or run the dataset without the service: headrace stream DATASET --engine spark',
    })
  if (
    dataset.source.kind === 'kafka' &&
    dataset.source.sasl !== undefined &&
    config.credentials_secret === undefined
  )
    throw failure('setting_missing', {
      where,
      setting: 'credentials_secret for the login of the broker',
      example: '"credentials_secret": "kafka" (headrace secrets set kafka --from-file kafka.json)',
    })
  for (const path of [dataset.raw.path, dataset.raw.archive, dataset.processed.path])
    if (path.includes('://'))
      throw failure('not_supported', {
        feature: `a zone at ${path} in a job of the service`,
        instead: 'Remove path: the zones of a job are in the folder of the tenant.',
      })
  return dataset
}

/**
 * Completes a declaration whose source is that of the job: where the data lie meanwhile, and that rows arrive
 * as lines of JSON.
 */
function completed(declaration: string, sourceType: string, config: Record<string, unknown>): string {
  if (/^source:/m.test(declaration))
    throw failure('setting_missing', {
      where: 'source_config',
      setting: `a declaration without source, because source_config describes the ${sourceType} source`,
      example: '"declaration": "dataset: orders\\ncolumns: ..."',
    })
  const converted = isConverted(sourceType, config) && !isDocuments(config)
  if (converted && /^record:/m.test(declaration))
    throw failure('setting_missing', {
      where: 'source_config',
      setting: 'a declaration without record, because columns of tables are found by name',
      example: '"declaration": "dataset: orders\\ncolumns: ..."',
    })
  // Undeclared columns are skipped, unless drift should add them.
  const ignore = /^drift:\s*["']?evolve/m.test(declaration) ? '' : ', ignore: ["*"]'
  return `${declaration}\nsource: { files: { path: inbox, pattern: "*" } }\n${converted ? `record: { format: ndjson${ignore} }\n` : ''}`
}
