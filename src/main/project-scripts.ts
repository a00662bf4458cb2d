/**
 * Runs a script of the project (tests, benchmarks) with this Node; they are not part of an installed package.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { failure } from '../core/errors.ts'
import { PACKAGE_ROOT } from '../host/package-root.ts'

export async function runScript(script: string, args: string[]): Promise<number> {
  const path = join(PACKAGE_ROOT, script)
  if (!existsSync(path))
    throw failure('missing_part', {
      part: script,
      purpose: 'this command',
      reason: 'an installed package does not contain it',
      instead: 'Run it in a clone of the project.',
    })
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', path, ...args], {
    stdio: 'inherit',
    cwd: PACKAGE_ROOT,
  })
  return new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)))
}
