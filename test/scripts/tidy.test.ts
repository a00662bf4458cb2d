/** Each rule of the style is shown red once, and the project itself is green. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { generated } from '../../scripts/generate.ts'
import { checkErrorPage, findUntidy, readSources } from '../../scripts/tidy.ts'

const rulesOf = (path: string, text: string, more: { path: string; text: string }[] = []): string[] =>
  findUntidy([{ path, text }, ...more]).map((finding) => finding.rule)
const lines = (count: number): string => Array.from({ length: count }, (_, i) => `  work(${i})`).join('\n')

test('the project is tidy, and its error page agrees with the table', () => {
  expect(findUntidy(readSources('.', ['src', 'scripts', 'test']))).toEqual([])
  expect(checkErrorPage(readFileSync('docs/reference/errors.md', 'utf8'))).toEqual([])
})

test('generated files are up to date', async () => {
  for (const [path, text] of Object.entries(await generated()))
    expect(readFileSync(path, 'utf8'), path).toBe(text)
})

test.each([
  ['an arrow that points up', 'src/core/a.ts', "import { b } from '../dataset/b.ts'\n", 'arrow'],
  [
    'an adapter that knows another',
    'src/lakehouse/a.ts',
    "import { b } from '../engines/duckdb/b.ts'\n",
    'arrow',
  ],
  [
    'a connector that knows its sibling',
    'src/connectors/kafka/a.ts',
    "import { b } from '../files/b.ts'\n",
    'arrow',
  ],
  ['the world in a pure folder', 'src/formats/a.ts', "import { readFile } from 'node:fs'\n", 'arrow'],
  ['a dependency in core', 'src/core/a.ts', "import { x } from 'yaml'\n", 'arrow'],
  ['the root under a room', 'src/control/a.ts', "import { b } from '../main/b.ts'\n", 'arrow'],
  [
    'a loop under an operation',
    'src/operations/a.ts',
    "import { b } from '../control/loops/b.ts'\n",
    'arrow',
  ],
  ['a use case in the API', 'src/api/a.ts', "import { b } from '../control/jobs.ts'\n", 'arrow'],
  ['an operation in the CLI', 'src/cli/a.ts', "import { b } from '../operations/batch.ts'\n", 'arrow'],
  ['src that imports tests', 'src/runner/a.ts', "import { x } from '../../test/x.ts'\n", 'arrow'],
  ['a junk drawer', 'src/core/utils.ts', '', 'name'],
  ['an error outside the table', 'src/core/a.ts', "throw new Error('x')\n", 'call'],
  ['evaluated code', 'src/core/a.ts', "eval('1')\n", 'call'],
  ['a default export', 'src/core/a.ts', 'export default 1\n', 'call'],
  ['an enum', 'src/core/a.ts', 'enum A { B }\n', 'call'],
  ['the clock outside main', 'src/runner/a.ts', 'const now = Date.now()\n', 'call'],
  ['SQL outside state', 'src/control/a.ts', "import { sql } from 'kysely'\n", 'call'],
  ['a statement outside state', 'src/main/a.ts', "await gate.service.selectFrom('tenants')\n", 'call'],
  ['a variable past the settings', 'src/net/a.ts', 'const a = process.env.HEADRACE_A\n', 'call'],
  ['the environment, taken apart', 'src/host/a.ts', 'const { env } = process\n', 'call'],
  ['the environment, imported', 'src/host/a.ts', "import { env } from 'node:process'\n", 'call'],
  ['printing past the output', 'src/cli/a.ts', "console.log('x')\n", 'call'],
  ['a pause of its own', 'src/runner/a.ts', 'await new Promise((done) => setTimeout(done, 50))\n', 'call'],
  [
    'a pause of the platform',
    'src/runner/a.ts',
    "import { setTimeout } from 'node:timers/promises'\n",
    'call',
  ],
  ['a lone test', 'test/a.test.ts', `test${'.only'}('x', () => {})\n`, 'call'],
  ['a long file', 'src/core/a.ts', 'const a = 1\n'.repeat(400), 'file-length'],
  ['a wide line of code', 'src/core/a.ts', `const a = [${'1, '.repeat(40)}1]\n`, 'width'],
  ['a wide comment', 'src/core/a.ts', `// ${'word '.repeat(30)}\n`, 'width'],
  [
    'a test that imports a room above its own',
    'test/core/a.test.ts',
    "import { b } from '../../src/lakehouse/b.ts'\n",
    'test-place',
  ],
  [
    'a test of another room',
    'test/lakehouse/a.test.ts',
    "import { b } from '../../src/engines/b.ts'\n",
    'test-place',
  ],
  [
    'a test of one room among those that span rooms',
    'test/service/a.test.ts',
    "import { b } from '../../src/connectors/b.ts'\n",
    'test-place',
  ],
  ['a folder of tests that is nothing', 'test/odds/a.test.ts', '', 'test-place'],
  ['a long function', 'src/core/a.ts', `function a() {\n${lines(80)}\n}\n`, 'function-length'],
  [
    'a factory with long methods',
    'src/core/a.ts',
    `function createA() {\n${lines(40)}\n  return {\n    a() {\n${lines(36)}\n    },\n  }\n}\n`,
    'function-length',
  ],
])('finds %s', (_, path, text, rule) => {
  expect(rulesOf(path, text)).toContain(rule)
})

test.each([
  'const one = 1',
  'const [, one] = a',
  'const { one } = a',
  'const { b: one = 1, ...others } = a',
  'for (const one of a) b()',
  'a.map((one) => b(one))',
  'const a = (...one: number[]): void => b(one)',
  'a.map(async (one: number): Promise<void> => b(one))',
  'function f(a: number, { b: [...one] }: B) {}',
  'class A { constructor(private one: number) {} }',
  'try { a() } catch (one) {}',
  'type F = (one: number) => void',
  "import { a as one } from './b.ts'",
])('finds a name that says nothing: %s', (text) => {
  expect(rulesOf('src/core/a.ts', text)).toContain('binding-name')
  expect(rulesOf('scripts/a.ts', text)).toContain('binding-name')
})

test.each([
  'const a = { one: 1 }.one',
  'const { one: first } = a',
  "const snapshot: 'one' | 'per_part' = 'one' // one",
  'const a = (column: { one: number }): number => column.one',
])('leaves a field or a text alone that is called one: %s', (text) => {
  expect(rulesOf('src/core/a.ts', text)).not.toContain('binding-name')
})

test('lets the module of settings alone read the environment', () => {
  expect(rulesOf('src/host/settings.ts', 'const a = process.env\n')).toEqual([])
  expect(rulesOf('test/a.ts', 'const a = process.env\n')).toEqual([])
})

test('leaves a text alone that runs over the edge, and what stands before it', () => {
  expect(rulesOf('src/core/a.ts', `const a = '${'word '.repeat(30)}'\n`)).not.toContain('width')
  expect(rulesOf('src/core/a.ts', `const a = sql\`SELECT ${'x, '.repeat(50)}\`\n`)).not.toContain('width')
})

test('finds a cycle, one of types too', () => {
  const other = { path: 'src/core/b.ts', text: "import { a } from './a.ts'\n" }
  expect(rulesOf('src/core/a.ts', "import { b } from './b.ts'\n", [other])).toContain('cycle')
  expect(rulesOf('src/core/a.ts', "import type { b } from './b.ts'\n", [other])).toContain('cycle')
  expect(rulesOf('src/core/a.ts', "import { c } from './c.ts'\n", [other])).not.toContain('cycle')
})

test('finds a composition root that has grown, in lines or in files', () => {
  const wiring = (count: number, text: string): { path: string; text: string }[] =>
    Array.from({ length: count }, (_, i) => ({ path: `src/main/a${i}.ts`, text }))
  const rules = (files: { path: string; text: string }[]): string[] =>
    findUntidy(files).map((finding) => finding.rule)
  expect(rules(wiring(21, ''))).toContain('main-size')
  expect(rules(wiring(6, 'const a = 1\n'.repeat(300)))).toContain('main-size')
  expect(rules(wiring(20, 'const a = 1\n'.repeat(75)))).not.toContain('main-size')
})

test('finds an error that the page lacks, has too much, or says otherwise', () => {
  const page = readFileSync('docs/reference/errors.md', 'utf8')
  expect(checkErrorPage(page.replace('## `usage`', '## `usag`')).map((finding) => finding.message)).toEqual([
    'usage is missing',
    'usag is not in the table',
  ])
  expect(checkErrorPage(page.replace('No space left while writing', 'Full:'))).toHaveLength(1)
})
