/** Marks of files: by folder and name, and as earlier versions wrote them. */
import { expect, test } from 'vitest'
import { fileMark, isFileRead } from '../../src/core/marks.ts'

test('a file is known by its folder and its name', () => {
  const marks = new Map([[fileMark('in/a', 'b/x.csv'), 1]])
  const asked = [
    ['in/a', 'b/x.csv'],
    ['in', 'a/b/x.csv'],
    ['in/a/b', 'x.csv'],
    ['in/b', 'b/x.csv'],
  ]
  expect(asked.map(([folder, name]) => isFileRead(marks, folder, name))).toEqual([true, false, false, false])
})

test('a mark of before marks had folders counts for each', () => {
  const marks = new Map([['headrace/file/x.csv', 1]])
  expect([isFileRead(marks, 'in', 'x.csv'), isFileRead(marks, 'in', 'y.csv')]).toEqual([true, false])
})
