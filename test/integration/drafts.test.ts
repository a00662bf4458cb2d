/** Drafts of small samples: each loads its own sample as it is, or says what is wrong with it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { smallHome } from '../support/small-datasets.ts'
import { cli, writeFileIn } from '../support/system.ts'

const SAMPLES: Record<string, [name: string, text: string]> = {
  'codes with leading zeros and numbers of 19 and 20 digits': [
    'zips.csv',
    'id,zip,tweet,iso,big\n1,02116,1234567890123456789,004,12345678901234567890\n2,10001,1234567890123456790,276,7\n',
  ],
  'JSON numbers of 20 digits': ['big.json', '[{"id":1,"big":12345678901234567890}]'],
  'a first column that is no key': [
    'strikes.csv',
    'airport,date,cost\nAAA,2024-01-01,10\nAAA,2024-01-02,20\nBBB,2024-01-01,5\n',
  ],
  'an index column without a name': ['pandas.csv', ',id,b\n0,1,x\n1,2,y\n'],
  'lines of JSON in a .json file': ['lines.json', '{"a":1}\n{"a":2}\n'],
}

test.each(Object.keys(SAMPLES))('infer drafts what loads its own sample: %s', async (sample) => {
  const [name, text] = SAMPLES[sample]
  const { home, where, cleanUp } = smallHome()
  writeFileIn(join(home, 'sample'), name, text)
  const draft = await cli(where, ['dataset', 'infer', join(home, 'sample', name), '--name', 'drafted'])
  expect(draft.stderr).toBe('')
  const path = join(home, 'drafted.yaml')
  writeFileSync(path, draft.stdout)
  expect((await cli(where, ['dataset', 'check', path])).code).toBe(0)
  const run = await cli(where, ['stream', path, '--until-caught-up', '-o', 'json'])
  expect(JSON.parse(run.stdout)).toMatchObject({ quarantined: 0 })
  const landed = await cli(where, [
    'tables',
    'query',
    'drafted/raw',
    "SELECT * FROM t WHERE outcome = 'accepted'",
    '-o',
    'json',
  ])
  for (const word of text.match(/[A-Za-z0-9-]*\d[A-Za-z0-9-]*/g) ?? []) expect(landed.stdout).toContain(word)
  cleanUp()
})

test.each([
  ['header-only.csv', 'a,b\n'],
  ['null-item.json', '[null,{"a":1}]'],
  ['scalars.json', '[1,2,3]'],
  ['empty.csv', ''],
])('infer says what is wrong with %s, or drafts what check takes', async (name, text) => {
  const { home, where, cleanUp } = smallHome()
  writeFileIn(join(home, 'sample'), name, text)
  const draft = await cli(where, ['dataset', 'infer', join(home, 'sample', name), '--name', 'drafted'])
  expect(draft.stderr).not.toMatch(/\n\s+at /)
  const path = join(home, 'drafted.yaml')
  writeFileSync(path, draft.stdout)
  if (draft.code === 0) expect((await cli(where, ['dataset', 'check', path])).code).toBe(0)
  else expect(draft.stderr).toMatch(/header|null|object|record|empty/)
  cleanUp()
})
