/**
 * Where tables live. One store serves one root; names are relative, with `/`, and never start with it.
 *
 * Who calls: the lakehouse, from one process at a time per writer, from many as readers. Any method may be called
 * concurrently. A method that fails throws an error of the table (core/errors.ts) that names the object; a missing object
 * is not a failure for `read` and `stat` (undefined) nor for `delete` (nothing happens).
 */
export interface ObjectStore {
  /** Root as the user knows it, for messages. */
  readonly root: string
  read(name: string): Promise<Buffer | undefined>
  /** Bytes [start, end); undefined when the object is missing. */
  readRange(name: string, start: number, end: number): Promise<Buffer | undefined>
  /** Creates or replaces; durable when the promise resolves. */
  write(name: string, bytes: Uint8Array): Promise<void>
  /**
   * Creates, durable and in one step; false when the name is taken by other bytes. This is the commit primitive. When
   * the name holds exactly these bytes the answer is true: it is our own earlier success, whose answer was lost.
   */
  writeIfAbsent(name: string, bytes: Uint8Array): Promise<boolean>
  /** All objects below a folder, in order of name; with `after`, only names greater than it. */
  list(folder: string, after?: string): Promise<StoredObject[]>
  stat(name: string): Promise<StoredObject | undefined>
  delete(name: string): Promise<void>
  /** Deletes what interrupted writes left behind and `list` does not show, when it is older. */
  sweep(beforeMs: number): Promise<void>
  /** Makes files that an engine wrote itself durable: their bytes, their names, the folders above them. */
  sync(names: string[]): Promise<void>
  /** Makes the folder behind a local path, for an engine to write into. */
  makeFolder(name: string): Promise<void>
  /** A path that an engine on this machine can open. Stores that are not local stage the bytes first. */
  localPath(name: string): string
}

export interface StoredObject {
  name: string
  size: number
  modifiedMs: number
}
