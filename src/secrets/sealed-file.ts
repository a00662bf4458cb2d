/**
 * Secrets in one sealed file in the age format (age-encryption.org/v1), opened unattended by a key file. An operator can open it with
 * the `age` program too. Values are kept sealed in memory as well; one is opened when an execution needs it.
 */
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption'
import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { failure, reasonOf, storageFailure } from '../core/errors.ts'
import { writeWhole } from './whole-file.ts'

export interface SealedSecrets {
  set(tenantId: string, name: string, value: Record<string, string>): Promise<void>
  names(tenantId: string): Promise<string[]>
  remove(tenantId: string, name: string): Promise<boolean>
  /** The value, for the one who connects with it. */
  get(tenantId: string, name: string): Promise<Record<string, string> | undefined>
}

type Contents = Record<string, Record<string, Record<string, string>>>

/** Opens the file, making it and its key the first time. Throws `secrets_locked` when the key is not the file's. */
export function openSealedSecrets({ file, keyFile }: { file: string; keyFile: string }): SealedSecrets {
  // One change at a time: each reads, changes and replaces the whole file.
  let last: Promise<unknown> = Promise.resolve()
  const change = <T>(work: (contents: Contents) => T): Promise<T> => {
    const next = last.then(async () => {
      const identity = await keyOf(keyFile)
      const contents = await unseal(file, keyFile, identity)
      const result = work(contents)
      await seal(file, identity, contents)
      return result
    })
    last = next.catch(() => undefined)
    return next
  }
  const read = async (): Promise<Contents> => unseal(file, keyFile, await keyOf(keyFile))
  return {
    set: (tenantId, name, value) => change((contents) => void ((contents[tenantId] ??= {})[name] = value)),
    names: async (tenantId) => Object.keys((await read())[tenantId] ?? {}).toSorted(),
    remove: (tenantId, name) => change((contents) => {
      const known = contents[tenantId]?.[name] !== undefined
      if (known) delete contents[tenantId][name]
      return known
    }),
    get: async (tenantId, name) => (await read())[tenantId]?.[name],
  }
}

async function keyOf(keyFile: string): Promise<string> {
  try {
    const text = await readFile(keyFile, 'utf8')
    const key = text.split('\n').find((line) => line.startsWith('AGE-SECRET-KEY-1'))
    if (key === undefined) throw failure('secrets_locked', { reason: 'the key file holds no age identity', keyFile })
    return key.trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw storageFailure(error, 'read', keyFile)
    const key = await generateX25519Identity()
    await mkdir(dirname(keyFile), { recursive: true })
    await writeWhole(keyFile, Buffer.from(`# The key of the sealed secrets beside it. Keep a copy elsewhere: without it they are gone.\n${key}\n`))
    return key
  }
}

async function unseal(file: string, keyFile: string, identity: string): Promise<Contents> {
  const sealed = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw storageFailure(error, 'read', file)
  })
  if (sealed === undefined) return {}
  const decrypter = new Decrypter()
  decrypter.addIdentity(identity)
  try {
    return JSON.parse(await decrypter.decrypt(sealed, 'text')) as Contents
  } catch (error) {
    throw failure('secrets_locked', { reason: reasonOf(error), keyFile }, error)
  }
}

async function seal(file: string, identity: string, contents: Contents): Promise<void> {
  const encrypter = new Encrypter()
  encrypter.addRecipient(await identityToRecipient(identity))
  await writeWhole(file, Buffer.from(await encrypter.encrypt(JSON.stringify(contents))))
}
