#!/usr/bin/env node
/** Entry point of the CLI. `--version` answers before anything is loaded; verbs load what they need. */
import { readFileSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { PACKAGE_ROOT } from '../host/package-root.ts'

const version = (JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as { version: string })
  .version

if (process.argv[2] === '--version' || process.argv[2] === '-V') process.stdout.write(`headrace ${version}\n`)
else {
  enableCompileCache()
  // A reader that went away (headrace ... | head) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  const { areSettingsRight, openSettingsFile, settings } = await import('../host/settings.ts')
  await openSettingsFile(configOption(process.argv.slice(2)))
  if (areSettingsRight()) {
    const { failpoint } = settings()
    if (!(await import('../core/failpoint.ts')).armFailpoint(failpoint))
      process.stderr.write(`Unknown failpoint ${failpoint}\n`)
    if (process.argv[2] === 'stream') (await import('../operations/fork-child.ts')).startChildAhead()
  }
  const { runCli } = await import('./program.ts')
  await runCli(version)
}

/** The value of --config, before commander is loaded: the child of a stream starts at the same time. */
function configOption(args: string[]): string | undefined {
  const at = args.findIndex((arg) => arg === '--config' || arg.startsWith('--config='))
  if (at === -1) return undefined
  return args[at].includes('=') ? args[at].slice('--config='.length) : args[at + 1]
}
