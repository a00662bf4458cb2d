/**
 * Paths of a tenant on this machine: relative ones lie in its own folder, absolute ones where the operator
 * allows them. Links are followed first.
 */
import { realpath } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve, sep } from 'node:path'
import { failure } from '../core/errors.ts'
import type { Work } from './work.ts'

/**
 * Paths that no tenant may use, whatever is allowed: the home of the service (except the tenant's own folder
 * in it) with tokens, secrets, the database and the folders of other tenants; and keys, settings and data of
 * the service `elsewhere`.
 */
export function closedPaths(home: string, elsewhere: (string | undefined)[]): string[] {
  return [home, '/var/lib/headrace', ...elsewhere]
    .filter((path) => path !== undefined)
    .map((path) => resolve(path))
}

export interface TenantRoots {
  tenantFolder: string
  allowed: string[]
  closed: string[]
}

/** The paths for an execution. */
export function rootsOf({
  tenantFolder,
  allowedPaths: allowed,
  closedPaths: closed,
}: Pick<Work, 'tenantFolder' | 'allowedPaths' | 'closedPaths'>): TenantRoots {
  return { tenantFolder, allowed, closed }
}

/**
 * The absolute path. Throws `permission_denied` if it leads to a place that the tenant may not use; with
 * `below`, also if it contains such a place.
 */
export async function tenantPath(
  path: string,
  { tenantFolder, allowed, closed }: TenantRoots,
  below = false,
): Promise<string> {
  if (path.includes('\0'))
    throw failure('permission_denied', {
      action: 'use',
      path: path.replaceAll('\0', '?'),
      user: 'this tenant',
    })
  const whole = isAbsolute(path) ? resolve(path) : resolve(join(tenantFolder, path))
  const real = await realOf(whole)
  const own = await realOf(tenantFolder)
  const [roots, shut] = await Promise.all(
    [allowed, closed].map((folders) => Promise.all(folders.map(realOf))),
  )
  const refused = shut.some((folder) => isWithin(real, folder) || (below && isWithin(folder, real)))
  const open = isWithin(real, own) || (!refused && roots.some((root) => isWithin(real, root)))
  if (!open)
    throw failure('permission_denied', {
      action: 'use',
      path,
      user: 'this tenant (an operator sets HEADRACE_ALLOW_PATHS)',
    })
  return real
}

const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep)

/** The path with all links followed, as far as it exists. */
async function realOf(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) return path
    return join(await realOf(dirname(path)), path.slice(dirname(path).length).replace(/^\//, ''))
  }
}
