/** Editors are told what the formatter does. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

test('.editorconfig says what .oxfmtrc.json says', () => {
  const { printWidth } = JSON.parse(readFileSync('.oxfmtrc.json', 'utf8')) as { printWidth: number }
  const [, everywhere] = readFileSync('.editorconfig', 'utf8').split(/^\[/m)
  expect(everywhere).toContain(`max_line_length = ${printWidth}\n`)
  expect(everywhere).toContain('indent_size = 2\n')
})
