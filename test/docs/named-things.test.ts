/**
 * What a text tells the reader to use is there: each command with its options, each field, page and route that
 * an error, the help, a description of the API, a page or a comment names. A hint to something that does not
 * exist costs the reader more than no hint.
 */
import { expect, test } from 'vitest'
import { ERRORS } from '../../src/core/errors.ts'
import {
  commentTexts,
  filesBelow,
  namesInCode,
  pageTexts,
  sourceTexts,
  unknownCommands,
  unknownFields,
  unknownLinks,
  unknownNames,
  unknownOptions,
  unknownPages,
  type Text,
} from '../support/named-things.ts'

const source = sourceTexts()
const pages = pageTexts()
const known = namesInCode()

function found(texts: Text[], unknown: (text: Text) => string[]): string[] {
  return texts.flatMap((text) => unknown(text).map((name) => `${text.where}: ${name}`))
}

test('each command in a text exists, with the options that it is given', () => {
  expect(found([...source, ...pages], ({ text }) => unknownCommands(text))).toEqual([])
  expect(found(source, ({ text }) => unknownOptions(text))).toEqual([])
})

test('each field of a declaration and of the API in a text exists', () => {
  expect(found([...source, ...pages], ({ text }) => unknownFields(text))).toEqual([])
  expect(found(source, ({ text }) => unknownNames(text, known))).toEqual([])
})

test('each error of the table can happen', () => {
  const elsewhere = filesBelow('src', '.ts').filter((path) => !path.startsWith('src/core/errors/'))
  const used = namesInCode(elsewhere)
  expect(Object.keys(ERRORS).filter((code) => !used.has(code))).toEqual([])
})

test('each page and each route in a text exists', () => {
  const comments = commentTexts()
  expect(comments.length).toBeGreaterThan(1_000)
  expect(found([...source, ...pages, ...comments], ({ text }) => unknownPages(text))).toEqual([])
  expect(found(pages, unknownLinks)).toEqual([])
})

test('an invented name of each kind is found', () => {
  expect(unknownCommands('Run headrace jobs stop NAME, or headrace status.')).toHaveLength(2)
  expect(unknownCommands('Run `headrace jobs run NAME --now`.')).toHaveLength(1)
  expect(unknownOptions('Give it more with --ram.')).toEqual(['--ram'])
  expect(unknownFields('Raise stream.memory in the declaration.')).toEqual(['stream.memory'])
  expect(unknownFields('Correct kafka.topic.')).toEqual(['kafka.topic'])
  expect(unknownNames('Raise sample_lines.', known)).toEqual(['sample_lines'])
  expect(unknownPages('See docs/estimation.md, or GET /api/v1/tenants/{}/lots.')).toHaveLength(2)
  expect(unknownPages('docs/decisions/0009 and docs/decisions/9999 say why.')).toEqual([
    'docs/decisions/9999',
  ])
  expect(unknownLinks({ where: 'README.md', text: '[a](docs/no.md) [b](docs/glossary.md#no)' })).toHaveLength(
    2,
  )
})
