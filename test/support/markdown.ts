/** Command blocks of a page: every line of a `sh` block is one command. */
import { readFileSync } from 'node:fs'

export function commandsOf(path: string): string[] {
  const blocks = [...readFileSync(path, 'utf8').matchAll(/```sh\n([\s\S]*?)```/g)].map(([, text]) => text)
  return blocks.flatMap((block) =>
    block.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#')),
  )
}
