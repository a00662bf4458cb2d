/** A folder, as the child of a stream reads it. */
import {
  contentMark,
  createFolder,
  newHash,
  readChunks,
  readWhole,
  type FoundFile,
} from '../connectors/files/source.ts'
import type { FileSource } from '../core/file-source.ts'
import type { FilesSourceSpec } from '../dataset/declaration.ts'

/** `quietMs`: how long a file must not have grown. */
export function folderSource(
  spec: FilesSourceSpec,
  { quietMs, chunkBytes }: { quietMs: number; chunkBytes: number },
): FileSource {
  const folder = createFolder(spec.path, spec.pattern, quietMs, Date.now)
  return {
    list: () => folder.list(),
    read: (file) => readWhole(file as FoundFile),
    chunks: (file) => readChunks(file as FoundFile, chunkBytes),
    newContentMark() {
      const hash = newHash()
      return { update: (bytes) => void hash.update(bytes), value: () => contentMark(hash) }
    },
  }
}
