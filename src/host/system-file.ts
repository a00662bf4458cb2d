/** Small files of the system (/proc, /etc) and of servers, which may disappear at any moment. */
import { readFileSync } from 'node:fs'

/** Content of a file. Empty if the file does not exist. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
