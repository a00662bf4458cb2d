/** The declarations of examples/: each is right, and the commands of its page run as written. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { DATASET_SCHEMA } from '../../src/dataset/schema.ts'
import { removeAtEnd } from '../support/at-end.ts'
import { commandsOf } from '../support/markdown.ts'
import { cli, cliJson } from '../support/system.ts'

interface Schema {
  properties: { record: { properties: { format: { enum: string[] } } } }
}

const home = mkdtempSync(join(tmpdir(), 'headrace-examples-'))
removeAtEnd(home)
const where = { env: { ...process.env, HEADRACE_HOME: home } }
const PAGE = 'examples/README.md'
const FOLDER = 'examples/datasets'

/** What a job completes has no source of its own. */
const declared = readdirSync(FOLDER).filter((name) =>
  /^source:/m.test(readFileSync(join(FOLDER, name), 'utf8')),
)

test.each(declared)('%s passes headrace dataset check', async (name) => {
  expect(await cli(where, ['dataset', 'check', join(FOLDER, name)])).toMatchObject({ code: 0 })
})

test('every command of the page works as written, in order', async () => {
  const outputs: string[] = []
  for (const command of commandsOf(PAGE)) {
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', command], where)
    outputs.push(stdout + stderr)
  }
  expect(outputs[2]).toContain('not a number')
  expect(outputs[4].match(/^[1235] /gm)).toHaveLength(4)
})

test.each(['orders_json', 'orders_ndjson', 'orders_xml'])(
  '%s is streamed and published, but for one record',
  async (name) => {
    const path = join(FOLDER, `${name}.yaml`)
    expect(await cliJson(where, ['stream', path, '--until-caught-up'])).toMatchObject({
      accepted: 4,
      quarantined: 1,
    })
    expect(await cliJson(where, ['batch', path])).toMatchObject({ state: 'published', published: 4 })
    const rows = await cliJson(where, ['tables', 'query', name, 'SELECT * FROM t WHERE id = 3'])
    expect(rows).toMatchObject([{ customer: 'Katherine Johnson', amount: '518.50' }])
  },
)

test('the page lists each example, and names none that is not there', () => {
  const page = readFileSync(PAGE, 'utf8')
  const linked = [...page.matchAll(/\]\(((?:datasets|jobs)\/[^)]+)\)/g)].map(([, path]) => path)
  const files = ['datasets', 'jobs'].flatMap((folder) =>
    readdirSync(join('examples', folder)).map((name) => `${folder}/${name}`),
  )
  expect([...new Set(linked)].toSorted()).toEqual(files.toSorted())
})

test('each format has an example', () => {
  const { properties } = DATASET_SCHEMA as unknown as Schema
  const shown = declared.map((name) => /format: (\w+)/.exec(readFileSync(join(FOLDER, name), 'utf8'))?.[1])
  expect([...new Set(shown)].toSorted()).toEqual(properties.record.properties.format.enum.toSorted())
})
