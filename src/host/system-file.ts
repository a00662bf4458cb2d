/** Small files of the system (/proc, /etc) and of servers, which may be gone by the time one looks. */
import { readFileSync } from 'node:fs'

/** Content of a file, empty when it is not there. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
