/**
 * The installed package: what `npm pack` makes is complete and runs as plain JavaScript, away from the clone.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

test('produces, streams and publishes from an installed package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-package-'))
  const run = (command: string, args: string[], cwd = folder): string =>
    execFileSync(command, args, {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        HEADRACE_HOME: join(folder, 'home'),
        HEADRACE_FOLDER: join(folder, 'incoming'),
        PATH: `${join(process.execPath, '..')}:${process.env.PATH}`,
      },
    })
  const packed = run(
    'npm',
    ['pack', '--ignore-scripts=false', '--json', '--pack-destination', folder],
    resolve('.'),
  )
  const [{ filename }] = JSON.parse(packed.slice(packed.indexOf('['))) as { filename: string }[]
  // Its dependencies are ours: the lock file's versions, without a registry.
  mkdirSync(join(folder, 'node_modules'))
  for (const name of readdirSync('node_modules').filter((entry) => !entry.startsWith('.')))
    symlinkSync(resolve('node_modules', name), join(folder, 'node_modules', name))
  run('tar', ['-xf', filename, '-C', join(folder, 'node_modules')])
  const home = join(folder, 'node_modules', 'package')
  const { bin, version, dependencies } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as {
    bin: Record<string, string>
    version: string
    dependencies: Record<string, string>
  }
  const bill = JSON.parse(readFileSync(join(home, 'dist', 'sbom.cdx.json'), 'utf8')) as {
    components: { name: string; group?: string; hashes?: { alg: string }[] }[]
  }
  const listed = new Set(
    bill.components
      .filter((component) => component.hashes?.some(({ alg }) => alg === 'SHA-512'))
      .map((component) =>
        component.group === undefined || component.group === ''
          ? component.name
          : `${component.group}/${component.name}`,
      ),
  )
  expect(Object.keys(dependencies).filter((name) => !listed.has(name))).toEqual([])
  const headrace = (...args: string[]): string => run(process.execPath, [join(home, bin.headrace), ...args])
  expect(headrace('--version').trim()).toBe(`headrace ${version}`)
  headrace('produce', 'books_files', '--count', '300')
  expect(JSON.parse(headrace('stream', 'books_files', '--until-caught-up', '-o', 'json'))).toMatchObject({
    messages: 300,
  })
  expect(
    (JSON.parse(headrace('batch', 'books_files', '-o', 'json')) as { published: number }).published,
  ).toBeGreaterThan(300)
  rmSync(folder, { recursive: true, force: true })
})
