/** Writes messages as files of a folder: under a hidden name, synced, and renamed when complete. */
import { mkdir, open, rename } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { storageFailure } from '../../core/errors.ts'
import type { MessageSink } from '../../core/message-sink.ts'

export async function openFolderSink(folder: string): Promise<MessageSink> {
  const root = resolve(folder)
  await mkdir(root, { recursive: true })
  let sent = 0
  return {
    async send(messages) {
      const answers = []
      for (const message of messages) {
        const name = `library-${message.key}-${String(sent).padStart(8, '0')}.xml`
        const temporary = join(root, `.${name}.part`)
        try {
          await using file = await open(temporary, 'w')
          await file.writeFile(message.value)
          await file.sync()
          await rename(temporary, join(root, name))
        } catch (error) {
          throw storageFailure(error, 'write', join(root, name))
        }
        answers.push({ partition: 0, offset: sent })
        sent += 1
      }
      return answers
    },
    async close() {},
  }
}
