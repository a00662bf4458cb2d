/**
 * A small document around one record of a larger one: the record's own bytes, and the declared fields around
 * them.
 */
import type { JsonShape } from './shape.ts'

/** `sourceOf`: the source text of a column's value from outside the records. */
export function surroundingsOf(
  shape: JsonShape,
  sourceOf: (column: number) => string | undefined,
): [string, string] {
  const root: Level = new Map()
  for (const { column, steps } of shape.envelope.toSorted((a, b) => a.steps.length - b.steps.length)) {
    const source = sourceOf(column)
    if (source !== undefined) put(root, steps, source)
  }
  let before = ''
  let level: Level | undefined = root
  for (const { key } of shape.way) {
    const beside: [string, string | Level][] = [...(level ?? [])].filter(([name]) => name !== key)
    before += `{${beside.map(([name, value]) => `${member(name, value)},`).join('')}${JSON.stringify(key)}:`
    const inner: string | Level | undefined = level?.get(key)
    level = typeof inner === 'string' ? undefined : inner
  }
  return [`${before}${shape.each ? '[' : ''}`, `${shape.each ? ']' : ''}${'}'.repeat(shape.way.length)}`]
}

type Level = Map<string, string | Level>

function put(root: Level, steps: string[], source: string): void {
  let level = root
  for (const step of steps.slice(0, -1)) {
    const inner: string | Level = level.get(step) ?? new Map<string, string | Level>()
    // The text of the whole object contains it.
    if (typeof inner === 'string') return
    level.set(step, inner)
    level = inner
  }
  level.set(steps[steps.length - 1], source)
}

function member(name: string, value: string | Level): string {
  const text =
    typeof value === 'string' ? value : `{${[...value].map(([key, inner]) => member(key, inner)).join(',')}}`
  return `${JSON.stringify(name)}:${text}`
}
