/**
 * A folder of files, as a stream job reads it. A file is one message: it is accepted or rejected as a whole.
 */

export interface SourceFile {
  name: string
  size: number
  modifiedMs: number
}

export interface FileSource {
  /**
   * Complete files in order of name, and the number of files that may still grow. The stream calls it
   * repeatedly. Throws if the folder cannot be read.
   */
  list(): Promise<{ complete: SourceFile[]; growing: number }>
  /** All bytes. Throws file_changed if the file is no longer the one that was listed. */
  read(file: SourceFile): Promise<Buffer>
  /** The bytes in chunks, for files larger than a message. Throws file_changed at the end. */
  chunks(file: SourceFile): AsyncIterable<Buffer>
  /** Position that stands for the content: 52 bits of its hash. */
  newContentMark(): { update(bytes: Buffer): void; value(): number }
}
