/** The template of decision records, with each rule shown red; the index is checked as a generated file. */
import { expect, test } from 'vitest'
import { checkDecisions, readDecisions } from '../../scripts/decisions.ts'

const RECORD = `# 7. Read a file

- Status: Accepted
- Date: 2026-11-21

## Context

Why.

## Decision

What.

## Consequences

Then.

## Measured

Not measured.
`
const messages = (text: string, path = 'docs/decisions/0007-read-a-file.md'): string[] =>
  checkDecisions([{ path, text }]).map(({ message }) => message)

test('the records follow the template', () => {
  expect(checkDecisions(readDecisions('.'))).toEqual([])
  expect(messages(RECORD)).toEqual([])
})

test.each([
  ['no date', RECORD.replace('- Date: 2026-11-21\n', ''), /must begin/],
  ['a status of its own', RECORD.replace('Accepted', 'Perhaps'), /unknown status Perhaps/],
  [
    'a successor that is not there',
    RECORD.replace('Accepted', 'Superseded by [0008](0008-no.md)'),
    /no 0008-no/,
  ],
  ['a section too few', RECORD.replace('## Measured\n\nNot measured.\n', ''), /sections must be/],
  ['a section too many', `${RECORD}\n## Notes\n\nMore.\n`, /sections must be/],
  ['an empty section', RECORD.replace('Why.\n', ''), /sections must be/],
  ['another number', RECORD.replace('# 7.', '# 8.'), /number/],
])('finds %s', (_, text, message) => {
  expect(messages(text)).toEqual([expect.stringMatching(message)])
})
