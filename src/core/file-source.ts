/** A folder of files as a stream job reads it. A file is one message: it is read whole, or rejected whole. */

export interface SourceFile {
  name: string
  size: number
  modifiedMs: number
}

export interface FileSource {
  /**
   * Complete files in order of name, and how many may still grow; asked again and again. Throws when the
   * folder cannot be read.
   */
  list(): Promise<{ complete: SourceFile[]; growing: number }>
  /** All bytes; throws file_changed when the file is not what was listed. */
  read(file: SourceFile): Promise<Buffer>
  /** The bytes in chunks, for files larger than a message may be. Throws file_changed at the end. */
  chunks(file: SourceFile): AsyncIterable<Buffer>
  /** Position that stands for the content: 52 bits of its hash. */
  newContentMark(): { update(bytes: Buffer): void; value(): number }
}
