/** Programs of Debian's packages for tests: unpacked below .headrace, nothing is installed. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'

/**
 * Fetches and unpacks packages once; with stale lists of packages, after renewing them. `program` is there
 * when they are.
 */
export function unpackDebian(name: string, packages: string[], program: string): string {
  const parts = resolve('.headrace/parts', name)
  if (existsSync(join(parts, program))) return parts
  const folder = `${parts}.${process.pid}`
  mkdirSync(folder, { recursive: true })
  const download = (): void =>
    void execFileSync('apt-get', ['download', ...packages], { cwd: folder, stdio: 'pipe' })
  try {
    download()
  } catch {
    execFileSync('apt-get', ['update'], { stdio: 'pipe' })
    download()
  }
  for (const file of readdirSync(folder).filter((entry) => entry.endsWith('.deb'))) {
    execFileSync('dpkg', ['-x', join(folder, file), folder])
    rmSync(join(folder, file))
  }
  rmSync(parts, { recursive: true, force: true })
  renameSync(folder, parts)
  return parts
}

const INSTALLED = '/usr/lib/postgresql/15/bin'

/** Folder of the programs of Debian's PostgreSQL 15: the installed ones, else unpacked ones. */
export function debianPostgres(): string {
  if (existsSync(join(INSTALLED, 'initdb'))) return INSTALLED
  return join(
    unpackDebian('postgresql-15', ['postgresql-15', 'libpq5'], 'usr/lib/postgresql/15/bin/initdb'),
    'usr/lib/postgresql/15/bin',
  )
}
