/**
 * Real files that packages ship, each from `dataset infer` to published rows: nothing is lost and nothing
 * changes, compared cell by cell with Python's own readers. Twelve of them a run, in turn; the long suite
 * `values` takes all.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { checkDataset, mistakeText } from '../../src/dataset/check.ts'
import { inferDataset } from '../../src/operations/infer.ts'
import { createChance } from '../support/chance.ts'
import { fetchSampleFiles, sampleFile } from '../support/sample-files.ts'
import { cli, PYTHON } from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'

interface RealFile {
  name: string
  /** What it is good for. */
  has: string
  /** It is refused, with these words. */
  refused?: RegExp
  /** A draft is made, and says that it does not load, with these words. */
  unloadable?: RegExp
  /** The first line that is part of the table: those above it are refused by name first, and then removed. */
  from?: number
  /** As lines of JSON. */
  lines?: boolean
}

const vega = (name: string, has: string): RealFile => ({ name: `npm:vega-datasets/data/${name}`, has })

const FILES: RealFile[] = [
  vega('airports.csv', 'codes, decimals of many lengths, names in quotes'),
  vega('birdstrikes.csv', 'names with blanks and $, a date, gaps, no key'),
  vega('co2-concentration.csv', 'a date as key, money-like decimals'),
  vega('disasters.csv', 'a pair as key: entity and year'),
  vega('flights-airport.csv', 'a pair of codes as key'),
  vega('gapminder-health-income.csv', 'whole numbers beyond 32 bits'),
  vega('github.csv', 'times with slashes that a day above 12 proves'),
  vega('la-riots.csv', 'first names that are unique by chance, dates, an empty age'),
  vega('population_engineers_hurricanes.csv', 'decimals of eleven digits beside 0'),
  vega('seattle-weather.csv', 'decimals with one digit, minus signs'),
  vega('seattle-weather-hourly-normals.csv', 'times without an offset'),
  vega('sp500.csv', 'dates with names of months, which stay text'),
  vega('stocks.csv', 'a pair as key: symbol and date'),
  vega('us-employment.csv', 'many columns of numbers'),
  vega('weather.csv', 'a pair as key: location and date'),
  vega('windvectors.csv', 'numbers only, no key'),
  vega('zipcodes.csv', '42,000 postal codes with leading zeros'),
  vega('unemployment.tsv', 'tabs'),
  vega('barley.json', 'a triple as key'),
  vega('burtin.json', 'decimals from .001 to 870, mixed with whole numbers'),
  vega('cars.json', 'null values'),
  vega('countries.json', 'a comment in the first record only'),
  vega('earthquakes.json', 'GeoJSON: records below a key, nested objects, arrays of decimals'),
  vega('jobs.json', 'numbers with exponents, texts with blanks at their ends'),
  vega('londonCentroids.json', 'coordinates of 17 digits'),
  vega('monarchs.json', 'a key that one record has'),
  vega('movies.json', 'keys with blanks, titles that are numbers, nulls'),
  vega('budget.json', 'keys with blanks and brackets, amounts with thousand separators'),
  vega('penguins.json', 'keys with brackets and blanks'),
  vega('weather.json', 'objects in objects that half of the records have'),
  vega('wheat.json', 'years in quotes'),
  {
    name: 'npm:world-countries/dist/countries.csv',
    has: 'every field in quotes, points in names, 50 scripts',
  },
  {
    name: 'npm:world-countries/dist/countries.json',
    has: 'arrays, objects whose keys are data, null and empty texts',
  },
  { name: 'npm:world-countries/dist/countries.xml', has: 'attributes only, empty ones too' },
  { name: 'npm:color-name-list/dist/colornames.csv', has: 'all is text: nothing proves the header' },
  { name: 'npm:color-name-list/dist/colornames.short.xml', has: 'a flat list' },
  { name: 'npm:unicode-emoji-json/data-by-group.json', has: 'an array of objects in each record, emoji' },
  {
    name: 'npm:unicode-emoji-json/data-by-emoji.json',
    has: 'a map',
    refused: /11,\d\d\d fields .* at most 2,000 columns/,
  },
  {
    name: 'npm:mime-db/db.json',
    has: 'a map with points and slashes in its keys',
    refused: /fields .* at most 2,000 columns/,
  },
  { name: 'npm:language-subtag-registry/data/json/registry.json', has: 'arrays of texts, no key' },
  {
    name: 'npm:node-releases/data/processed/envs.json',
    has: 'booleans beside texts, versions, lines of JSON',
    lines: true,
  },
  {
    name: 'npm:currency-codes/iso-4217-list-one.xml',
    has: 'codes with zeros, N.A. among numbers, an attribute on a text',
  },
  {
    name: 'pypi:country-converter/country_converter/country_data.tsv',
    has: 'regular expressions as values, years with .0',
  },
  { name: 'debian:/usr/share/iso-codes/json/iso_3166-1.json', has: 'a key that looks like a number' },
  { name: 'debian:/usr/share/iso-codes/json/iso_639-3.json', has: '7,900 records' },
  { name: 'debian:/usr/share/zoneinfo/iso3166.tab', has: 'comments above the table', from: 30 },
  {
    name: 'debian:/usr/share/zoneinfo/zone1970.tab',
    has: 'comments above, lines without their last field',
    from: 38,
  },
  {
    name: 'debian:/usr/share/mime/packages/freedesktop.org.xml',
    has: 'a DOCTYPE with definitions',
    unloadable: /failed once: .*DOCTYPE/,
  },
  { name: 'debian:/usr/share/X11/xkb/rules/evdev.xml', has: 'a DOCTYPE, arrays of objects, arrays in them' },
  { name: 'debian:/usr/share/distro-info/debian.csv', has: 'lines without their last fields' },
]
const ALL = process.env.HEADRACE_TEST_REAL_FILES === 'all'
const AT_ONCE = 2

interface Job {
  name: string
  home: string
  file: string
  declaration: Record<string, unknown>
  raw: string
  processed: string
  /** Why a job ended early. */
  failed: string
}

const refusal = (path: string): Promise<string> =>
  inferDataset(path, { name: '', brokers: 'localhost:1', record: undefined }).then(
    () => 'a draft',
    (error: Error) => error.message,
  )

/** Places the file in a folder of its own, as it is loaded. */
async function placeFile(sample: RealFile, home: string): Promise<string> {
  const source = sampleFile(sample.name)
  const file = join(home, 'incoming', basename(source))
  mkdirSync(join(home, 'incoming'))
  writeFileSync(file, readFileSync(source))
  if (sample.from !== undefined) {
    expect(await refusal(file), sample.name).toMatch(new RegExp(`the table begins at line ${sample.from} `))
    writeFileSync(
      file,
      readFileSync(file, 'utf8')
        .split('\n')
        .slice(sample.from - 1)
        .join('\n'),
    )
  }
  if (sample.lines === true)
    writeFileSync(
      file,
      (JSON.parse(readFileSync(file, 'utf8')) as object[])
        .map((record) => `${JSON.stringify(record)}\n`)
        .join(''),
    )
  return file
}

/** Infers, checks, streams and publishes; undefined where that must not work. */
async function load(sample: RealFile): Promise<Job | undefined> {
  const home = mkdtempSync(join(tmpdir(), 'headrace-real-'))
  const file = await placeFile(sample, home)
  if (sample.refused !== undefined) {
    expect(await refusal(file), sample.name).toMatch(sample.refused)
    rmSync(home, { recursive: true })
    return undefined
  }
  const draft = await inferDataset(file, { name: '', brokers: 'localhost:1', record: undefined })
  expect(checkDataset(draft.yaml).mistakes.map(mistakeText), sample.name).toEqual([])
  if (sample.unloadable !== undefined) {
    expect(draft.notes.join('\n'), sample.name).toMatch(sample.unloadable)
    rmSync(home, { recursive: true })
    return undefined
  }
  const declaration = join(home, 'draft.yaml')
  writeFileSync(declaration, draft.yaml)
  const where = { env: { ...process.env, HEADRACE_HOME: home, HEADRACE_LOG: 'warn' } }
  const tables = join(home, 'tables', draft.declaration.dataset as string)
  const hasKey = draft.declaration.processed !== undefined
  let failed = ''
  for (const job of [
    ['stream', declaration, '--until-caught-up'],
    ...(hasKey ? [['batch', declaration]] : []),
  ]) {
    const { code, stderr } = failed === '' ? await cli(where, job) : { code: 0, stderr: '' }
    if (code !== 0) failed = `${job[0]}: ${stderr}`
  }
  return {
    name: sample.name,
    home,
    file,
    declaration: draft.declaration,
    raw: join(tables, 'raw'),
    processed: hasKey ? join(tables, 'processed') : '',
    failed,
  }
}

/** The files of this run: all, or six others in each run. */
function chosen(): RealFile[] {
  if (ALL) return FILES
  const chance = createChance()
  const only = process.env.HEADRACE_TEST_REAL_FILES ?? ''
  if (only !== '') return FILES.filter((sample) => sample.name.includes(only))
  return FILES.map((sample) => ({ sample, order: chance() }))
    .toSorted((a, b) => a.order - b.order)
    .slice(0, 6)
    .map(({ sample }) => sample)
}

interface Verdict {
  name: string
  rows: number
  cells: number
  broken: number
  rejects: string[]
  problems: string[]
}

test(
  'real files load as they are: infer, check, stream, batch',
  async () => {
    fetchSampleFiles()
    const files = chosen()
    const waiting = [...files]
    const jobs: Job[] = []
    const work = async (): Promise<void> => {
      for (let sample = waiting.shift(); sample !== undefined; sample = waiting.shift()) {
        const job = await load(sample)
        if (job !== undefined) jobs.push(job)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    expect(jobs.filter((job) => job.failed !== '').map(({ name, failed }) => ({ name, failed }))).toEqual([])
    const judged = spawnSync(PYTHON, ['test/support/read_beside.py'], {
      input: JSON.stringify(jobs),
      maxBuffer: 1 << 28,
      encoding: 'utf8',
    })
    expect(judged.status, judged.stderr).toBe(0)
    const verdicts = JSON.parse(judged.stdout) as Verdict[]
    const cells = verdicts.reduce((sum, verdict) => sum + verdict.cells, 0)
    process.stderr.write(`${files.length} files, ${cells} cells compared\n`)
    expect(cells).toBeGreaterThan(0)
    const wrong = verdicts.filter(
      (verdict) => verdict.problems.length > 0 || verdict.rejects.length !== verdict.broken,
    )
    expect(
      wrong.map(({ name, broken, rejects, problems }) => ({
        name,
        broken,
        rejects: rejects.slice(0, 3),
        problems,
      })),
    ).toEqual([])
    for (const { home } of jobs) rmSync(home, { recursive: true, force: true })
  },
  limitMs(900_000),
)
