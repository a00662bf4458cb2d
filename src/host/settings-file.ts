/**
 * The settings file: headrace.yaml. Its keys are names of settings, in snake or kebab case. You can nest keys
 * that start alike: `oidc: { issuer: ... }` is `oidc_issuer`.
 */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { LineCounter, isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml'
import { failure, reasonOf } from '../core/errors.ts'
import { SETTINGS, type SettingName } from '../core/settings.ts'
import type { SettingRow } from '../core/setting-row.ts'
import type { SettingsFile } from '../core/setting-values.ts'

/** Throws `settings_file_invalid` if the file is missing, is not YAML, or sets a name twice. */
export async function readSettingsFile(path: string): Promise<SettingsFile> {
  const refuse = (reason: string): Error => failure('settings_file_invalid', { path, reason })
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw refuse(reasonOf(error))
  })
  const lines = new LineCounter()
  const lineOf = (node: unknown): number =>
    lines.linePos((node as { range?: [number] | null } | null)?.range?.[0] ?? 0).line
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const [wrong] = document.errors
  if (wrong !== undefined) throw refuse(`line ${lines.linePos(wrong.pos[0]).line}: ${wrong.message}`)
  const entries = new Map<string, { text: string; line: number }>()
  const add = (node: unknown, name: string, line: number): void => {
    if (isAlias(node)) throw refuse(`line ${line}: write out the alias *${node.source}`)
    if (isMap(node))
      for (const { key, value } of node.items) {
        const part = String(isScalar(key) ? key.value : key).replaceAll('-', '_')
        add(value, name === '' ? part : `${name}_${part}`, lineOf(key))
      }
    else if (name === '') throw refuse('it must contain names and values')
    else if (entries.has(name)) throw refuse(`line ${line}: ${name} is set twice`)
    else entries.set(name, { text: textOf(node, name, path, line), line })
  }
  if (document.contents !== null) add(document.contents, '', 1)
  return { path, entries }
}

/** The value as an environment variable would hold it. */
function textOf(node: unknown, name: string, path: string, line: number): string {
  const row: SettingRow | undefined = name in SETTINGS ? SETTINGS[name as SettingName] : undefined
  const items = isSeq(node) ? node.items : [node]
  if (isSeq(node) && row !== undefined && row.kind.separator === undefined)
    throw failure('settings_file_invalid', {
      path,
      reason: `line ${line}: ${name} takes one value, not a list`,
    })
  const texts = items.map((item) => {
    if (item === null || (isScalar(item) && item.value === null)) return ''
    if (!isScalar(item))
      throw failure('settings_file_invalid', { path, reason: `line ${line}: ${name} must be a plain list` })
    const text = item.source ?? String(item.value)
    return row?.kind.isPath === true ? placedPath(path, text) : text
  })
  return texts.join(row?.kind.separator ?? ',')
}

/** Relative paths start at the folder of the file. */
function placedPath(file: string, path: string): string {
  return path === '' || path.includes('://') ? path : resolve(dirname(file), path)
}
