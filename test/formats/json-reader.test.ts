/** Values of JSON messages as texts: every digit of a number stays, however deep it lies. */
import { expect, test } from 'vitest'
import { appendText, createSlab } from '../../src/core/slab.ts'
import { createJsonReader } from '../../src/formats/json/reader.ts'

test.each([
  ['{"v": 9007199254740993}', '9007199254740993'],
  ['{"v": 0.10}', '0.10'],
  ['{"v": [9007199254740993, 1.50, {"x": 1e400, "y": -12345678901234567890.123456789}]}', '[9007199254740993,1.50,{"x":1e400,"y":-12345678901234567890.123456789}]'],
  ['{"v": {"a": [true, null, "1.50", 2]}}', '{"a":[true,null,"1.50",2]}'],
  ['{"v": "12345678901234567890"}', '12345678901234567890'],
])('%s', (message, text) => {
  const reader = createJsonReader({ record: '$', fields: [{ path: 'v', array: true }], ignore: [] })
  const slab = createSlab(1 << 12)
  const start = appendText(slab, message)
  expect(reader.readMessage(slab, start, slab.end)).toBeUndefined()
  const [from, length] = reader.records.cells
  expect(slab.bytes.toString('utf8', from, from + length)).toBe(text)
})
