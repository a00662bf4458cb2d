/**
 * `dataset infer`: outlines a sample, drafts a declaration, checks it, and tries it on the sample until all
 * values load unchanged.
 */
import { parse } from 'yaml'
import type { App } from './app.ts'
import { failure, reasonOf } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { isOutlineFault, type Outline, type OutlineFault, type SampleText } from '../core/outline.ts'
import { checkDataset, mistakeText } from '../dataset/check.ts'
import { datasetName } from '../dataset/column-names.ts'
import { draftYaml } from '../dataset/draft-yaml.ts'
import type { Dataset, RecordFormat } from '../dataset/declaration.ts'
import {
  createTrials,
  draftDataset,
  type Draft,
  type DraftColumn,
  type DraftInput,
  type Trials,
} from '../dataset/infer.ts'
import { DATASET_SCHEMA } from '../dataset/schema.ts'
import { outlineCsv } from '../formats/csv/outline.ts'
import { outlineJson, outlineJsonLines } from '../formats/json/outline.ts'
import { isFault, readJsonValue, skipBlanks } from '../formats/json/sample.ts'
import { textOfSample, type DecodedSample } from '../formats/sample-text.ts'
import { outlineXml } from '../formats/xml/outline.ts'
import { tryDraft, type TrialLoss, type TrialResult } from '../runner/draft-trial.ts'
import { fileSample, topicSample, type Sample } from './sample-source.ts'

/** Each try makes the draft more careful. After the last one, the notes list what is still lost. */
const TRIES = 6

export const inferDataset: App['inferDataset'] = async (source, options) => {
  const sample = (await fileSample(source)) ?? (await topicSample(source, options.brokers))
  const { texts, encoding, broken } = decode(source, sample)
  const format = formatOf(source, texts)
  const outline = outlineOf(format, texts, options.record)
  const refused = isOutlineFault(outline) ? outline : columnsFault(outline)
  if (refused !== undefined || isOutlineFault(outline))
    throw failure('sample_unusable', { source, ...refused })
  const name =
    options.name ||
    datasetName(
      source
        .split('/')
        .at(-1)
        ?.replace(/\.[a-z0-9.]{1,12}$/i, '') ?? '',
    )
  const { record, notes } = encodingSetting(encoding)
  const input = { name, source: sample.source, format, record, outline }
  return draftAndTry(source, input, [
    ...sample.notes,
    ...notes,
    ...(broken === 0
      ? []
      : [
          `The sample has ${broken.toLocaleString('en-US')} places that are not valid UTF-8. Records with such places are rejected`,
        ]),
    ...outline.notes,
  ])
}

function decode(
  source: string,
  { documents }: Sample,
): { texts: SampleText[]; encoding: string; broken: number } {
  const decoded = documents.map(({ bytes, cut }) => textOfSample(bytes, cut))
  const texts = decoded.filter((sample): sample is DecodedSample => !('reason' in sample))
  const [fault] = decoded
  if (texts.length === 0 && 'reason' in fault) throw failure('sample_unusable', { source, ...fault })
  if (texts.every((sample) => sample.text.trim() === ''))
    throw failure('sample_unusable', {
      source,
      reason: 'it contains only white space',
      instead: 'Name a sample that has some records.',
    })
  return {
    texts,
    encoding: texts.find((sample) => sample.encoding !== '')?.encoding ?? '',
    broken: texts.reduce((sum, sample) => sum + sample.broken, 0),
  }
}

/** A declaration states the encoding only if a reader cannot find it itself. */
function encodingSetting(encoding: string): { record: Record<string, unknown>; notes: string[] } {
  if (encoding === '') return { record: {}, notes: [] }
  const { properties } = DATASET_SCHEMA as unknown as { properties: { record: { properties: object } } }
  if ('encoding' in properties.record.properties)
    return {
      record: { encoding },
      notes: [`The encoding is a guess: the sample is not valid UTF-8, but can be read as ${encoding}`],
    }
  return {
    record: {},
    notes: [
      `The sample is not valid UTF-8, but can be read as ${encoding}. Convert it first: iconv -f ${encoding} -t UTF-8`,
    ],
  }
}

/** By the content of a sample. The file extension decides only if both formats are possible. */
function formatOf(source: string, texts: SampleText[]): RecordFormat {
  const [{ text }] = texts
  const begin = skipBlanks(text, 0)
  if (text[begin] === '<') return 'xml'
  const ending =
    /\.(csv|tsv|tab|ndjson|jsonl|json|geojson)(\.(gz|zst))?$/i.exec(source)?.[1].toLowerCase() ?? ''
  if (ending === 'ndjson' || ending === 'jsonl') return 'ndjson'
  if ('{['.includes(text[begin] ?? ' ')) {
    if (isByLines(text)) return 'ndjson'
    const isTable =
      (ending === 'csv' || ending === 'tsv' || ending === 'tab') &&
      isFault(readJsonValue(text, 0, texts[0].cut))
    return isTable ? 'csv' : 'json'
  }
  return ending === 'json' || ending === 'geojson' ? 'json' : 'csv'
}

/** More than one line, and most of the first lines are a JSON value each. */
function isByLines(text: string): boolean {
  const lines = text
    .slice(0, LIMITS.inferSampleBytes)
    .split('\n', 21)
    .slice(0, 20)
    .filter((line) => line.trim() !== '')
  const whole = lines.filter((line) => {
    const value = readJsonValue(line, 0, false)
    return (
      !isFault(value) &&
      (value.kind === 'object' || value.kind === 'array') &&
      skipBlanks(line, value.end) === line.length
    )
  })
  return (
    (lines.length > 1 && whole.length * 2 > lines.length && whole.includes(lines[0])) ||
    (whole.length > 2 && whole.length * 2 > lines.length)
  )
}

function outlineOf(
  format: RecordFormat,
  texts: SampleText[],
  record: string | undefined,
): Outline | OutlineFault {
  if (format === 'csv') return outlineCsv(texts)
  if (format === 'ndjson') return outlineJsonLines(texts)
  return format === 'json' ? outlineJson(texts, record) : outlineXml(texts, record)
}

function columnsFault(outline: Outline): OutlineFault | undefined {
  const { properties } = DATASET_SCHEMA as unknown as { properties: { columns: { maxItems: number } } }
  const [most, count] = [properties.columns.maxItems, outline.fields.length]
  if (count === 0)
    return {
      reason: `its ${outline.records} record(s) have no fields`,
      instead: 'Name a sample with values, or choose other records with --record.',
    }
  if (count <= most) return undefined
  const example = outline.fields
    .slice(0, 3)
    .map((field) => field.path)
    .join(', ')
  return {
    reason: `its records have ${count.toLocaleString('en-US')} fields (${example} ...), but a dataset has at most ${most.toLocaleString('en-US')} columns`,
    instead:
      'If the names are data, convert them to a list of objects (jq "to_entries"). Otherwise declare the columns that you need, with ignore: ["*"].',
  }
}

interface Tried {
  draft: Draft
  result: TrialResult
}

function draftAndTry(
  source: string,
  input: Omit<DraftInput, 'trials'>,
  notes: string[],
): Awaited<ReturnType<App['inferDataset']>> {
  const trials = createTrials()
  let tried = tryOnce(source, { ...input, trials })
  for (let n = 1; n < TRIES && learn(trials, tried); n += 1) tried = tryOnce(source, { ...input, trials })
  for (const loss of tried.result.losses) noteLoss(tried.draft, loss)
  const said = [...notes, ...problemNotes(tried)]
  const yaml = draftYaml(tried.draft, said)
  return {
    yaml,
    declaration: parse(yaml) as Record<string, unknown>,
    records: tried.draft.records,
    loaded: tried.result.rows,
    notes: said,
    columns: tried.draft.columns.map((column) => ({
      name: column.settings.name as string,
      notes: column.notes,
    })),
  }
}

function tryOnce(source: string, input: DraftInput): Tried {
  const draft = draftDataset(input)
  const { dataset, mistakes } = checkDataset(draftYaml(draft, []))
  if (dataset === undefined)
    throw failure('sample_unusable', {
      source,
      reason: `the draft does not pass its own check:\n${mistakes.map(mistakeText).join('\n')}`,
      instead: 'If a line names --name, --brokers or --record, correct that option.',
    })
  return { draft, result: tryOn(dataset, draft, input.outline) }
}

function tryOn(dataset: Dataset, draft: Draft, outline: Outline): TrialResult {
  try {
    return tryDraft(
      dataset,
      draft.columns.map(({ field }, i) => ({ field, column: dataset.columns[i] })),
      outline.documents,
      outline.records,
    )
  } catch (error) {
    return {
      losses: [],
      problems: [{ what: `the sample could not be read: ${reasonOf(error)}`, count: 1 }],
      rows: 0,
    }
  }
}

/** Learns from each loss. False if the draft cannot be more careful. */
function learn(trials: Trials, { draft, result }: Tried): boolean {
  let learned = false
  for (const loss of result.losses) {
    const column = draft.columns.find((candidate) => candidate.field.path === loss.path)
    if (column !== undefined && learnOf(trials, column, loss)) learned = true
  }
  return learned
}

function learnOf(trials: Trials, column: DraftColumn, loss: TrialLoss): boolean {
  const sub = column.fields?.find((candidate) => candidate.field.path === `${loss.path} ${loss.field}`)
  const { type } = (sub ?? column).type
  if (type !== 'string') {
    const path = (sub ?? column).field.path
    trials.barred.set(path, new Set([...(trials.barred.get(path) ?? []), type]))
    return true
  }
  if (column.field.whole === undefined || trials.asText.has(loss.path)) return false
  trials.asText.add(loss.path)
  return true
}

function noteLoss(draft: Draft, loss: TrialLoss): void {
  const column = draft.columns.find((candidate) => candidate.field.path === loss.path)
  column?.notes.push(
    `CHANGED OR REJECTED in ${loss.count.toLocaleString('en-US')} of ${draft.records.toLocaleString('en-US')} records: ${loss.what}`,
  )
}

function problemNotes({ draft, result }: Tried): string[] {
  const some = result.problems
    .slice(0, 5)
    .map(
      ({ what, count }) =>
        `This draft, tried on the sample, failed ${count === 1 ? 'once' : `${count.toLocaleString('en-US')} times`}: ${what}`,
    )
  const more = result.problems.length > 5 ? [`and ${result.problems.length - 5} other reasons`] : []
  const isWhole = result.problems.length === 0 && result.losses.length === 0 && draft.records > 0
  return isWhole
    ? [`Tried on the sample: all ${draft.records.toLocaleString('en-US')} records load, and no value changes`]
    : [...some, ...more]
}
