#!/usr/bin/env node
/** Entry point of the CLI. `--version` answers before anything is loaded; verbs load what they need. */
import { readFileSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { armFailpoint } from '../core/failpoint.ts'
import { PACKAGE_ROOT } from '../host/package-root.ts'

const version = (JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as { version: string })
  .version

if (process.argv[2] === '--version' || process.argv[2] === '-V') process.stdout.write(`headrace ${version}\n`)
else {
  enableCompileCache()
  if (!armFailpoint(process.env.HEADRACE_FAILPOINT))
    process.stderr.write(`Unknown failpoint ${process.env.HEADRACE_FAILPOINT}\n`)
  // A reader that went away (headrace ... | head) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  if (process.argv[2] === 'stream') (await import('../operations/fork-child.ts')).startChildAhead()
  const { runCli } = await import('./program.ts')
  await runCli(version)
}
