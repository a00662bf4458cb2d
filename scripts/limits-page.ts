/** The reference page of limits. Their meanings are the comments in src/core/limits.ts, so that both agree. */
import { readFileSync } from 'node:fs'
import { FAILPOINTS } from '../src/core/failpoint.ts'
import { LIMITS } from '../src/core/limits.ts'

const FAILPOINTS_INTRO =
  'For tests: `HEADRACE_FAILPOINT=name:n` kills the process when it reaches the failpoint for the n-th time.'

export function limitsPage(): string {
  const meanings = meaningsIn(readFileSync('src/core/limits.ts', 'utf8'))
  const rows = Object.entries(LIMITS).map(
    ([name, value]) => `| \`${name}\` | ${value.toLocaleString('en-US')} | ${meaningOf(meanings, name)} |`,
  )
  const limits = `Sizes are in bytes, times in milliseconds. Each value is a maximum unless its meaning says otherwise. You cannot change a limit,\nunless its meaning names a setting.\n\n| Limit | Value | Meaning |\n| --- | --- | --- |\n${rows.join('\n')}`
  const failpoints = FAILPOINTS.map((name) => `- \`${name}\``).join('\n')
  return `# Limits\n\n${limits}\n\n## Failpoints\n\n${FAILPOINTS_INTRO}\n\n${failpoints}\n`
}

function meaningOf(meanings: Map<string, string>, name: string): string {
  const meaning = meanings.get(name)
  if (meaning === undefined) throw new Error(`src/core/limits.ts: give ${name} a comment with its meaning`)
  return meaning
}

/** The first paragraph of the comment above each property. */
function meaningsIn(source: string): Map<string, string> {
  const commented = source.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(\w+):/g)
  return new Map(
    [...commented].map(([, comment, name]) => {
      const lines = comment.split('\n').map((line) => line.replace(/^\s*\*/, '').trim())
      const [paragraph] = lines.join('\n').trim().split('\n\n')
      return [name, paragraph.replaceAll('\n', ' ')]
    }),
  )
}
