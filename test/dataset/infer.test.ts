/** A draft from a CSV sample: its delimiter, names and types, and a declaration that is right as it stands. */
import { expect, test } from 'vitest'
import { checkDataset } from '../../src/dataset/check.ts'
import { draftYaml } from '../../src/dataset/infer.ts'
import { outlineCsv } from '../../src/formats/csv/outline.ts'

test.each([
  [',', 'Order ID,when,total,note\n1,2026-01-02,3.50,"a,b"\n2,2026-01-03,4.25,\n3,2026-0'],
  [';', '\uFEFFOrder ID;when;total;note\r\n1;2026-01-02;3.50;"a;b"\r\n2;2026-01-03;4.25;\r\n'],
  ['\t', 'Order ID\twhen\ttotal\tnote\n1\t2026-01-02\t3.50\tx\ny\n2\t2026-01-03\t4.25\t\n'],
])('delimiter %j', (delimiter, sample) => {
  const outline = outlineCsv(sample)
  expect(outline).toMatchObject({ delimiter, records: 2, fields: [{ path: 'Order ID', values: ['1', '2'], present: 2 }, { path: 'when', values: ['2026-01-02', '2026-01-03'] }, { path: 'total', values: ['3.50', '4.25'] }, { path: 'note', present: 1 }] })
  const { dataset, mistakes } = checkDataset(draftYaml({ name: 'orders', source: ['files:', '  path: in'], format: 'csv', records: 2, fields: outline?.fields ?? [], record: delimiter === ',' ? [] : [`delimiter: ${JSON.stringify(delimiter)}`] }))
  expect(mistakes).toEqual([])
  expect(dataset?.record).toMatchObject({ format: 'csv', delimiter, header: true })
  expect(dataset?.columns.map((column) => [column.name, column.path, column.type, column.required])).toEqual([['order_id', 'Order ID', 'integer', true], ['when', 'when', 'date', true], ['total', 'total', 'decimal', true], ['note', 'note', 'string', false]])
})
