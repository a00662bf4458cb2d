/** Paths of a tenant on this machine: relative ones lie in its own folder, absolute ones where the operator allows. Links are followed first. */
import { realpath } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve, sep } from 'node:path'
import { failure } from '../../core/errors.ts'

/** HEADRACE_ALLOW_PATHS: folders, separated by a colon, in which absolute paths of tenants may lie. */
export function allowedPaths(text = process.env.HEADRACE_ALLOW_PATHS ?? ''): string[] {
  return text.split(':').filter((one) => one !== '').map((one) => resolve(one))
}

/** The path that is meant, whole. Throws `permission_denied` when it leads out of what the tenant may use. */
export async function tenantPath(path: string, { tenantFolder, allowed }: { tenantFolder: string; allowed: string[] }): Promise<string> {
  if (path.includes('\0')) throw failure('permission_denied', { action: 'use', path: path.replaceAll('\0', '?'), user: 'this tenant' })
  const whole = isAbsolute(path) ? resolve(path) : resolve(join(tenantFolder, path))
  const real = await realOf(whole)
  const roots = [await realOf(tenantFolder), ...(await Promise.all(allowed.map(realOf)))]
  if (!roots.some((root) => real === root || real.startsWith(root.endsWith(sep) ? root : root + sep))) throw failure('permission_denied', { action: 'use', path, user: 'this tenant (an operator allows folders with HEADRACE_ALLOW_PATHS)' })
  return real
}

/** With all links followed, as far as the path exists. */
async function realOf(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) return path
    return join(await realOf(dirname(path)), path.slice(dirname(path).length).replace(/^\//, ''))
  }
}
