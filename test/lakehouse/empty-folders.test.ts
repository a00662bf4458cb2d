/**
 * Folders of a local store: they go with their last file, up to the root, and whoever writes into one
 * meanwhile loses nothing.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { privateFolder } from '../../src/core/data-path.ts'
import { createLocalStore } from '../../src/lakehouse/stores/local.ts'
import { limitMs } from '../support/time-limits.ts'

const base = mkdtempSync(join(tmpdir(), 'headrace-folders-'))
afterAll(() => rmSync(base, { recursive: true, force: true }))

let roots = 0
function place(): {
  root: string
  store: ReturnType<typeof createLocalStore>
  made(name: string): void
  seen(): string[]
} {
  roots += 1
  const root = join(base, `table-${roots}`)
  mkdirSync(root)
  const made = (name: string): void => {
    mkdirSync(join(root, name, '..'), { recursive: true })
    writeFileSync(join(root, name), name)
  }
  return {
    root,
    store: createLocalStore(root),
    made,
    seen: () => readdirSync(root, { recursive: true }).map(String).toSorted(),
  }
}

test('the last file of a folder takes it along, and those above it that are empty then, but never the root', async () => {
  const { root, store, made, seen } = place()
  for (const name of ['a=1/b=2/x', 'a=1/b=3/y', 'a=2/b=1/z']) made(name)
  await store.delete('a=1/b=2/x')
  expect(seen()).toEqual(['a=1', 'a=1/b=3', 'a=1/b=3/y', 'a=2', 'a=2/b=1', 'a=2/b=1/z'])
  await store.delete('a=1/b=3/y')
  expect(seen()).toEqual(['a=2', 'a=2/b=1', 'a=2/b=1/z'])
  await store.delete('a=2/b=1/z')
  expect([existsSync(root), seen()]).toEqual([true, []])
})

test('the log and the key index keep their folders, empty or not', async () => {
  const { store, made, seen } = place()
  for (const folder of ['_delta_log', '_key_index']) {
    made(`${folder}/x`)
    await store.delete(`${folder}/x`)
  }
  await store.sweep(Date.now() + 1_000)
  expect(seen()).toEqual(['_delta_log', '_key_index'])
})

test('a sweep removes empty folders that are old, and what has a file or is young stays', async () => {
  const { root, store, made, seen } = place()
  for (const folder of ['old/empty', 'young/empty']) mkdirSync(join(root, folder), { recursive: true })
  made('old/full/x')
  for (const folder of ['old/empty', 'old/full', 'old']) utimesSync(join(root, folder), 1, 1)
  await store.sweep(Date.now() - 60_000)
  expect(seen()).toEqual(['old', 'old/full', 'old/full/x', 'young', 'young/empty'])
})

test('a private folder goes with all that is left in it', async () => {
  const { store, made, seen } = place()
  await store.local.makeFolder(privateFolder('a'))
  made(`${privateFolder('a')}/part=1/_delta_log/.x.crc`)
  await store.local.makeFolder(privateFolder('b'))
  await store.local.dropFolder(privateFolder('a'))
  expect(seen()).toEqual(['_writing', '_writing/b'])
  await store.local.dropFolder(privateFolder('b'))
  await store.local.dropFolder(privateFolder('b'))
  expect(seen()).toEqual([])
})

test('a twin has the bytes, is young, and takes no name that is taken', async () => {
  const { root, store, made } = place()
  made('old/x')
  utimesSync(join(root, 'old/x'), 1, 1)
  await store.copy('old/x', 'a=1/b=2/y')
  expect(readFileSync(join(root, 'a=1/b=2/y'), 'utf8')).toBe('old/x')
  expect((await store.stat('a=1/b=2/y'))?.modifiedMs).toBeGreaterThan(Date.now() - 60_000)
  await expect(store.copy('old/x', 'a=1/b=2/y')).rejects.toMatchObject({ name: 'HeadraceError' })
  await expect(store.copy('none', 'a=1/b=2/z')).rejects.toMatchObject({ name: 'HeadraceError' })
  await expect(store.local.move('none', 'a=1/b=2/z')).rejects.toMatchObject({ name: 'HeadraceError' })
})

const WRITERS = 8
const ROUNDS = 150

test(
  `${WRITERS} writers move, copy and write files into folders that others are just removing: none fails, none is lost`,
  async () => {
    const { store, seen } = place()
    const writer = async (own: number): Promise<void> => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const id = `${own}-${round}`
        const names = ['moved', 'copied', 'written'].map((how) => `a=1/b=${round % 2}/${id}-${how}`)
        await store.local.makeFolder(privateFolder(id))
        writeFileSync(store.local.path(`${privateFolder(id)}/x`), id)
        await store.copy(`${privateFolder(id)}/x`, names[1])
        await store.local.move(`${privateFolder(id)}/x`, names[0])
        await store.write(names[2], Buffer.from(id))
        await store.local.dropFolder(privateFolder(id))
        await store.local.sync(names)
        for (const name of names) expect(String(await store.read(name))).toBe(id)
        for (const name of names) await store.delete(name)
      }
    }
    await Promise.all(Array.from({ length: WRITERS }, (_, own) => writer(own)))
    expect(seen()).toEqual([])
  },
  limitMs(60_000),
)
