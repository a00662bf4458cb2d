import { expect, test } from 'vitest'
import { headerOf } from '../../src/formats/csv/header.ts'

test.each([
  ['id,name\n1,a\n', ['id', 'name']],
  ['\uFEFFid,name\r\n', ['id', 'name']],
  ['"a,b","c ""d""","e\nf"\n', ['a,b', 'c "d"', 'e\nf']],
  ['a,,b\n', ['a', '', 'b']],
])('%j', (text, names) => {
  expect(headerOf(text)).toEqual({ names, newLine: text.endsWith('\r\n') ? '\r\n' : '\n' })
})

test('another delimiter and quote; a record that does not end', () => {
  expect(headerOf("a||'b||c'\n", '||', "'")).toMatchObject({ names: ['a', 'b||c'] })
  expect(headerOf('a,b')).toBeUndefined()
  expect(headerOf('"a\n')).toBeUndefined()
})
