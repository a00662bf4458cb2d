/** Which tests a change touches: each way in which a test can need a file, and some that it does not have. */
import { expect, test } from 'vitest'
import { touchedTests } from '../../scripts/changed-tests.ts'

const FILES = Object.entries({
  'src/core/a.ts': '',
  'src/core/b.ts': "import { a } from './a.ts'\n",
  'src/cli/stream.ts': "export const add = (program) => program.command('stream <dataset>')\n",
  'src/cli/jobs.ts': "export const add = (program) => program.command('jobs')\n",
  'src/main/program.ts':
    "import { add } from '../cli/stream.ts'\nimport { add } from '../cli/jobs.ts'\nawait import('./serve.ts')\n",
  'src/main/serve.ts': '',
  'src/main/cli.ts': "await import('./program.ts')\n",
  'src/main/child.ts': "import { b } from '../core/b.ts'\n",
  'src/operations/fork.ts': "fork(entryOf('child'))\n",
  'docs/page.md': 'Run `headrace serve` with datasets/books.yaml.\n',
  'datasets/books.yaml': '',
  'test/support/model.py': '',
  'test/support/java/Reads.java': '',
  'test/support/java.ts': 'run(`test/support/java/${program}.java`)\n',
  'test/support/cli.ts': "spawn(resolve('src/main/cli.ts'))\n",
  'test/core/b.test.ts': "import { b } from '../../src/core/b.ts'\n",
  'test/core/types.test.ts': "import type { A } from '../../src/core/a.ts'\n",
  'test/integration/forked.test.ts': "await import('../../src/operations/fork.ts')\n",
  'test/integration/stream.test.ts': "import { cli } from '../support/cli.ts'\ncli(['stream', 'books'])\n",
  'test/integration/python.test.ts': "spawn(PYTHON, ['test/support/model.py'])\n",
  'test/integration/java.test.ts': "import { run } from '../support/java.ts'\n",
  'test/docs/page.test.ts': "readFileSync('docs/page.md')\n",
  'test/scripts/all.test.ts': '',
}).map(([path, text]) => ({ path, text }))

const named = (path: string): string[] =>
  touchedTests(FILES, [path])
    .map((testPath) => testPath.replace(/^test\/|\.test\.ts$/g, ''))
    .filter((name) => name !== 'scripts/all')

test.each([
  [
    'a file by imports of imports, and by the entry of a program',
    'src/core/a.ts',
    ['core/b', 'integration/forked'],
  ],
  ['a file that is loaded when it is needed', 'src/operations/fork.ts', ['integration/forked']],
  ['a command that the test runs, and no other', 'src/cli/stream.ts', ['integration/stream']],
  ['what the program loads for a command, by the page that is run', 'src/main/serve.ts', ['docs/page']],
  ['the program itself', 'src/main/program.ts', ['integration/stream']],
  ['a page', 'docs/page.md', ['docs/page']],
  ['what a page names', 'datasets/books.yaml', ['docs/page']],
  ['a program of another language', 'test/support/model.py', ['integration/python']],
  ['one of a folder', 'test/support/java/Reads.java', ['integration/java']],
  ['a test', 'test/core/b.test.ts', ['core/b']],
  ['nothing', 'src/cli/jobs.ts', []],
])('finds the tests of %s', (_, path, tests) => {
  expect(named(path)).toEqual(tests)
})

test('tests that look at all files run with any change, and all tests with a new lock file', () => {
  expect(touchedTests(FILES, ['docs/new.md'])).toEqual(['test/scripts/all.test.ts'])
  expect(touchedTests(FILES, [])).toEqual([])
  expect(touchedTests(FILES, ['package-lock.json'])).toHaveLength(8)
})
