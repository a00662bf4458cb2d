/**
 * Completes package-lock.json after `npm install`: npm leaves out optional packages of other platforms when
 * its registry does not serve that version, and its own clean install then refuses the lock file. Their
 * versions are exact in the packages that want them, so the entries can be written from there. Hashes that
 * are missing are asked of the registry: on their platform npm fetches a package by name and version and must
 * know what it is to be. Beside it, package-dates.json says when each version was published: a package that
 * was taken over is mostly found within days, so that nothing younger than a week is used.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

interface Entry {
  name?: string
  version?: string
  integrity?: string
  optional?: boolean
  dev?: boolean
  os?: string[]
  cpu?: string[]
  libc?: string[]
  optionalDependencies?: Record<string, string>
}

const SYSTEMS = [
  'darwin',
  'win32',
  'linux',
  'android',
  'freebsd',
  'openharmony',
  'sunos',
  'aix',
  'netbsd',
  'openbsd',
]
const PROCESSORS = [
  'x64',
  'arm64',
  'arm',
  'ia32',
  'ppc64',
  'riscv64',
  's390x',
  'wasm32',
  'mips64el',
  'loong64',
]

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Entry> }
let added = 0
for (const entry of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`
    if (path in lock.packages) continue
    const words = name.split(/[-/@]/)
    // A package for no known system (a WebAssembly build, say) must not be installed here by mistake either.
    const os = SYSTEMS.filter((system) => words.includes(system))
    const cpu = PROCESSORS.filter((processor) => words.includes(processor))
    lock.packages[path] = {
      version: version.replace(/^[~^]/, ''),
      ...(cpu.length > 0 ? { cpu } : {}),
      ...(entry.dev ? { dev: true } : {}),
      optional: true,
      ...(os.length > 0 ? { os } : {}),
      ...(words.some((word) => word.endsWith('musl') || word === 'musleabihf') ? { libc: ['musl'] } : {}),
    }
    added += 1
  }
}
const known = existsSync('package-dates.json')
  ? (JSON.parse(readFileSync('package-dates.json', 'utf8')) as Record<string, string>)
  : {}
const dates = new Map<string, string>()
for (const [path, entry] of Object.entries(lock.packages)) {
  if (path === '') continue
  const name = entry.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
  const version = `${name}@${entry.version}`
  dates.set(
    version,
    known[version] ??
      (
        JSON.parse(
          execFileSync('npm', ['view', name, 'time', '--json'], { encoding: 'utf8', maxBuffer: 1 << 28 }),
        ) as Record<string, string>
      )[String(entry.version)].slice(0, 10),
  )
  if (entry.integrity !== undefined) continue
  entry.integrity = JSON.parse(
    execFileSync('npm', ['view', `${name}@${entry.version}`, 'dist.integrity', '--json'], {
      encoding: 'utf8',
    }),
  ) as string
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : 1)))
writeFileSync('package-lock.json', `${JSON.stringify(lock, undefined, 2)}\n`)
writeFileSync(
  'package-dates.json',
  `${JSON.stringify(Object.fromEntries([...dates].toSorted(([a], [b]) => (a < b ? -1 : 1))), undefined, 2)}\n`,
)
process.stdout.write(`${added} entries added\n`)
