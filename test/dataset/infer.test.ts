/**
 * A draft from a CSV sample: its delimiter, names and types, and a declaration that is right as it stands.
 */
import { expect, test } from 'vitest'
import { isOutlineFault, type Outline } from '../../src/core/outline.ts'
import { checkDataset } from '../../src/dataset/check.ts'
import { draftYaml } from '../../src/dataset/draft-yaml.ts'
import { createTrials, draftDataset } from '../../src/dataset/infer.ts'
import { outlineCsv } from '../../src/formats/csv/outline.ts'

test.each([
  [',', 'Order ID,when,total,note\n1,2026-01-02,3.50,"a,b"\n2,2026-01-03,4.25,\n3,2026-0'],
  [';', '\uFEFFOrder ID;when;total;note\r\n1;2026-01-02;3.50;"a;b"\r\n2;2026-01-03;4.25;\r\n'.slice(1)],
  ['\t', 'Order ID\twhen\ttotal\tnote\n1\t2026-01-02\t3.50\tx\ny\n2\t2026-01-03\t4.25\t\n'],
])('delimiter %j', (delimiter, sample) => {
  const outline = outlineCsv([{ text: sample, cut: !sample.endsWith('\n') }])
  if (isOutlineFault(outline)) throw new Error(outline.reason)
  expect(outline).toMatchObject({
    records: 2,
    fields: [
      { path: 'Order ID', values: ['1', '2'] },
      { path: 'when', values: ['2026-01-02', '2026-01-03'] },
      { path: 'total', values: ['3.50', '4.25'] },
      { path: 'note', rows: [0] },
    ],
  })
  const { dataset, mistakes } = checkDataset(yamlOf(outline))
  expect(mistakes).toEqual([])
  expect(dataset?.record).toMatchObject({ format: 'csv', delimiter, header: true })
  expect(dataset?.columns.map((column) => [column.name, column.path, column.type, column.required])).toEqual([
    ['order_id', 'Order ID', 'integer', true],
    ['when', 'when', 'date', false],
    ['total', 'total', 'decimal', false],
    ['note', 'note', 'string', false],
  ])
})

function yamlOf(outline: Outline): string {
  return draftYaml(
    draftDataset({
      name: 'orders',
      source: { files: { path: 'in' } },
      format: 'csv',
      record: {},
      outline,
      trials: createTrials(),
    }),
    [],
  )
}
