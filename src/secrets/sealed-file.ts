/**
 * Secrets in one sealed file in the age format (age-encryption.org/v1), which a key file opens unattended. An
 * operator can open it with the `age` program too. Values stay sealed in memory; each is opened when an
 * execution needs it.
 */
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption'
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { failure, reasonOf, storageFailure } from '../core/errors.ts'
import { writeWhole } from './whole-file.ts'

export interface SealedSecrets {
  set(tenantId: string, name: string, value: Record<string, string>): Promise<void>
  names(tenantId: string): Promise<string[]>
  remove(tenantId: string, name: string): Promise<boolean>
  /** The value, for the code that connects with it. */
  get(tenantId: string, name: string): Promise<Record<string, string> | undefined>
}

type Contents = Record<string, Record<string, Record<string, string>>>

export interface SealedFile {
  file: string
  keyFile: string
  /** Whether to create a missing key: not if somebody else manages it. */
  makeKey: boolean
}

/** The credential's name in systemd's store: `LoadCredentialEncrypted=headrace-secrets-key`. */
const CREDENTIAL = 'headrace-secrets-key'

/**
 * The sealed file of a home and the place of its key: the named file, else the credential that systemd gives
 * this process (systemd.exec, CREDENTIALS_DIRECTORY), else a file beside it, which is created the first time.
 */
export function sealedFileOf(
  home: string,
  { keyFile, credentialsFolder }: { keyFile?: string; credentialsFolder?: string } = {},
): SealedFile {
  const file = join(home, 'secrets.age')
  if (keyFile !== undefined) return { file, keyFile, makeKey: false }
  const credential = credentialsFolder === undefined ? undefined : join(credentialsFolder, CREDENTIAL)
  if (credential !== undefined && existsSync(credential)) return { file, keyFile: credential, makeKey: false }
  return { file, keyFile: join(home, 'secrets.key'), makeKey: true }
}

/**
 * Opens the file, and creates it the first time. Throws `secrets_locked` if the key is missing or belongs to
 * another file.
 */
export function openSealedSecrets({ file, keyFile, makeKey }: SealedFile): SealedSecrets {
  // A new key could not open what is already sealed.
  const key = (): Promise<string> => keyOf(keyFile, makeKey && !existsSync(file))
  // One change at a time: each reads, changes and replaces the whole file.
  let last: Promise<unknown> = Promise.resolve()
  const change = <T>(work: (contents: Contents) => T): Promise<T> => {
    const next = last.then(async () => {
      const identity = await key()
      const contents = await unseal(file, keyFile, identity)
      const result = work(contents)
      await seal(file, identity, contents)
      return result
    })
    last = next.catch(() => undefined)
    return next
  }
  const read = async (): Promise<Contents> => unseal(file, keyFile, await key())
  return {
    set: (tenantId, name, value) => change((contents) => void ((contents[tenantId] ??= {})[name] = value)),
    names: async (tenantId) => Object.keys((await read())[tenantId] ?? {}).toSorted(),
    remove: (tenantId, name) =>
      change((contents) => {
        const known = contents[tenantId]?.[name] !== undefined
        if (known) delete contents[tenantId][name]
        return known
      }),
    get: async (tenantId, name) => (await read())[tenantId]?.[name],
  }
}

async function keyOf(keyFile: string, makeKey: boolean): Promise<string> {
  const text = await readFile(keyFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw storageFailure(error, 'read', keyFile)
    return undefined
  })
  if (text === undefined && makeKey) return newKey(keyFile)
  const key = text?.split('\n').find((line) => line.startsWith('AGE-SECRET-KEY-1'))
  if (key === undefined)
    throw failure('secrets_locked', {
      reason: text === undefined ? 'there is no key file' : 'the key file holds no age identity',
      keyFile,
    })
  return key.trim()
}

async function newKey(keyFile: string): Promise<string> {
  const key = await generateX25519Identity()
  await mkdir(dirname(keyFile), { recursive: true })
  await writeWhole(
    keyFile,
    Buffer.from(
      `# The key of the sealed secrets beside it. Keep a copy elsewhere: without it they are gone.\n${key}\n`,
    ),
  )
  return key
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
