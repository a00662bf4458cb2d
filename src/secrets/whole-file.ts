/** Small files that must be complete after a power cut: keys, logins, manifests. */
import { randomUUID } from 'node:crypto'
import { chmod, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Replaces a file completely and durably. Only its owner may read it. */
export async function writeWhole(path: string, bytes: Buffer | string): Promise<void> {
  const temporary = `${path}.${randomUUID()}`
  {
    await using handle = await open(temporary, 'wx', 0o600)
    await handle.writeFile(bytes)
    await handle.sync()
  }
  await chmod(temporary, 0o600)
  await rename(temporary, path)
  await using folder = await open(dirname(path))
  await folder.sync()
}
