/** Arguments that several commands share, and the messages for mistakes in them. */
import { readFileSync } from 'node:fs'
import { InvalidArgumentError, Option } from 'commander'
import type { EngineChoice } from '../operations/app.ts'
import { failure } from '../core/errors.ts'
import type { EngineName } from '../dataset/declaration.ts'
import { OUTPUT_FORMATS } from './output.ts'

/** The option of commands that act for a tenant. */
export const TENANT: [string, string] = [
  '--tenant <name>',
  'name or ID of the tenant (needed if there are several)',
]

export interface OfTenant {
  tenant?: string
}

export function wholeNumber(text: string): number {
  const value = Number(text.replaceAll('_', '').replaceAll(',', ''))
  if (!Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('It must be a whole number, 0 or more.')
  return value
}

export function share(text: string): number {
  const value = text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number(text)
  if (!(value >= 0 && value <= 1))
    throw new InvalidArgumentError('It must be a share from 0 to 1, or a percentage.')
  return value
}

/** Default memory of a batch or of upkeep. */
export function memoryOption(): Option {
  return new Option('--memory <size>', 'memory limit').default(1_073_741_824, '1GiB').argParser(byteSize)
}

/** `512MB`, `1GiB`, plain bytes. */
export function byteSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(B|KB|MB|GB|KiB|MiB|GiB)?$/i.exec(text)
  if (match === null) throw new InvalidArgumentError('It must be a size like 512MB or 1GiB.')
  const factor =
    { b: 1, kb: 1e3, mb: 1e6, gb: 1e9, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3 }[
      (match[2] ?? 'B').toLowerCase()
    ] ?? 1
  return Math.floor(Number(match[1]) * factor)
}

/** `90s`, `15m`, `24h`, `7d` in milliseconds. */
export function duration(text: string): number {
  const match = /^(\d+)\s*(s|m|h|d)$/.exec(text)
  if (match === null) throw new InvalidArgumentError('It must be a time like 90s, 15m, 24h or 7d.')
  return Number(match[1]) * { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as 's']
}

export function day(text: string): string {
  if (!/^\d{4}-\d\d-\d\d$/.test(text) || Number.isNaN(Date.parse(text)))
    throw new InvalidArgumentError('It must be a day like 2026-11-21.')
  return text
}

/**
 * An option that may be given several times. Its value is a list. `without`: what it means if none is given,
 * for the help.
 */
export function repeatable(
  flags: string,
  description: string,
  without: string,
  check: (value: string) => string = (value) => value,
): Option {
  return new Option(flags, `${description} (repeatable)`)
    .default([], without)
    .argParser((value: string, before: string[]) => [...before, check(value)])
}

/** Aborts on SIGINT or SIGTERM; a second signal ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(130)
      controller.abort()
    })
  }
  return controller.signal
}

export interface EngineFlags {
  engine?: EngineName
  master?: string
  connect?: string
}

export const MASTER = 'start Spark for this run, with this master, e.g. local[2] or spark://host:7077'
export const CONNECT = 'use this Spark Connect server'

export function outputOption(): Option {
  return new Option('-o, --output <format>', 'format of the results').choices(OUTPUT_FORMATS)
}

export function engineOption(): Option {
  return new Option(
    '--engine <engine>',
    'engine for this run, instead of the engine in the declaration',
  ).choices(['duckdb', 'spark'])
}

export function engineChoice({ engine, master, connect }: EngineFlags): EngineChoice {
  return { engine, master, connect }
}

/** A JSON file, or standard input for `-`. Throws `usage` if it is not JSON. */
export function jsonFile(file: string): unknown {
  const text = readFileSync(file === '-' ? 0 : file, 'utf8')
  try {
    return JSON.parse(text)
  } catch (error) {
    throw failure(
      'usage',
      { reason: `${file === '-' ? 'standard input' : file} is not JSON: ${(error as Error).message}` },
      error,
    )
  }
}
