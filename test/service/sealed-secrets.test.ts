/**
 * The sealed secrets and their key: beside them, in a file of its own, or in the credential store of the
 * system.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateX25519Identity } from 'age-encryption'
import { expect, test } from 'vitest'
import { openService } from '../../src/control/open.ts'
import { openSealedSecrets, sealedFileOf } from '../../src/secrets/sealed-file.ts'
import { freshDatabase, openFolder } from '../support/service.ts'

const LOGIN = { username: 'u', password: 'p' }

test('the key is made beside the secrets the first time, and opens them again; a lost key is not replaced by one that opens nothing', async () => {
  const home = openFolder('headrace-sealed-')
  await openSealedSecrets(sealedFileOf(home)).set('t', 'login', LOGIN)
  expect(await openSealedSecrets(sealedFileOf(home)).get('t', 'login')).toEqual(LOGIN)
  expect(readFileSync(join(home, 'secrets.age'), 'latin1')).not.toContain('"p"')
  rmSync(join(home, 'secrets.key'))
  await expect(openSealedSecrets(sealedFileOf(home)).set('t', 'other', LOGIN)).rejects.toMatchObject({
    code: 'secrets_locked',
    params: { reason: 'there is no key file', keyFile: join(home, 'secrets.key') },
  })
  expect(existsSync(join(home, 'secrets.key'))).toBe(false)
})

test('a key of systemd or in a file that is named opens them, is not made, and another one is refused', async () => {
  const [home, store] = [openFolder('headrace-sealed-'), openFolder('headrace-credentials-')]
  mkdirSync(store, { recursive: true })
  const systemd = { credentialsFolder: store }
  expect(sealedFileOf(home, systemd)).toMatchObject({ keyFile: join(home, 'secrets.key'), makeKey: true })
  writeFileSync(join(store, 'headrace-secrets-key'), `${await generateX25519Identity()}\n`)
  await openSealedSecrets(sealedFileOf(home, systemd)).set('t', 'login', LOGIN)
  expect(existsSync(join(home, 'secrets.key'))).toBe(false)
  const named = sealedFileOf(home, { ...systemd, keyFile: join(store, 'headrace-secrets-key') })
  expect(await openSealedSecrets(named).get('t', 'login')).toEqual(LOGIN)
  writeFileSync(join(store, 'other'), await generateX25519Identity())
  await expect(
    openSealedSecrets(sealedFileOf(home, { keyFile: join(store, 'other') })).names('t'),
  ).rejects.toMatchObject({ code: 'secrets_locked' })
  writeFileSync(join(store, 'none'), 'hello')
  await expect(
    openSealedSecrets(sealedFileOf(home, { keyFile: join(store, 'none') })).names('t'),
  ).rejects.toThrow('the key file holds no age identity')
})

test('a service whose key is not there says so at its start', async () => {
  process.env.HEADRACE_SECRETS_KEY_FILE = '/no/such/key'
  await expect(
    openService({
      databaseUrl: await freshDatabase(),
      home: openFolder('headrace-sealed-'),
      version: 'test',
    }),
  ).rejects.toMatchObject({ code: 'secrets_locked' })
  delete process.env.HEADRACE_SECRETS_KEY_FILE
})
