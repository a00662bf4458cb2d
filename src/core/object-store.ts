/**
 * Where tables live. One store serves one root; names are relative, with `/`, and never start with it. The
 * lakehouse calls a store: one process at a time per writer, many as readers. Any method may be called
 * concurrently. A method that fails throws an error of the table (core/errors.ts) that names the object. A
 * missing object is no failure: `read` and `stat` return undefined, `delete` does nothing.
 */
export interface ObjectStore {
  /** The root as the user knows it, for messages. */
  readonly root: string
  read(name: string): Promise<Buffer | undefined>
  /** Bytes [start, end); undefined when the object is missing. */
  readRange(name: string, start: number, end: number): Promise<Buffer | undefined>
  /** Creates or replaces; durable when the promise resolves. */
  write(name: string, bytes: Uint8Array): Promise<void>
  /**
   * Creates an object, durable and in one step. Returns false if the name is taken by other bytes. This is
   * the commit primitive. If the name already holds exactly these bytes, the result is true: it is our own
   * earlier success, whose answer was lost.
   */
  writeIfAbsent(name: string, bytes: Uint8Array): Promise<boolean>
  /** All objects below a folder, in order of name; with `after`, only names greater than it. */
  list(folder: string, after?: string): Promise<StoredObject[]>
  stat(name: string): Promise<StoredObject | undefined>
  /** Also deletes folders that become empty, except the root. */
  delete(name: string): Promise<void>
  /**
   * Deletes the leftovers of interrupted writes that are older and that `list` does not show: unfinished
   * files, empty folders.
   */
  sweep(beforeMs: number): Promise<void>
  /** Copies an object; `local.sync` then makes the copy durable. Creates the folders above it. */
  copy(from: string, to: string): Promise<void>
  /**
   * The address at which an engine that reads the store directly finds an object: `file:///...`, `s3a://...`,
   * `hdfs://...`.
   */
  address(name: string): string
  /**
   * Creates an object of any size from a local file: complete, durable, and in one step at the end of the
   * upload. Returns false if the name is taken by then. Removes the leftovers of interrupted uploads of the
   * same name.
   */
  createFrom(path: string, name: string): Promise<boolean>
  /** For engines of this machine. */
  readonly local: LocalFiles
}

/**
 * Files of a store as engines on this machine open and write them. If the store is the local disk, they are
 * the objects themselves; otherwise they are copies.
 */
export interface LocalFiles {
  /**
   * The local path of a staged object, or of a file that an engine writes and `sync` makes durable in the
   * store.
   */
  path(name: string): string
  /** Makes objects readable at their local paths. A remote store downloads them. */
  stage(names: string[]): Promise<void>
  /** Makes files that an engine wrote durable: their bytes, their names and the folders above them. */
  sync(names: string[]): Promise<void>
  /** Creates the folder behind a local path, which only the caller knows, for an engine to write into. */
  makeFolder(name: string): Promise<void>
  /** Removes such a folder with everything in it. Never fails: vacuum removes later what it leaves. */
  dropFolder(name: string): Promise<void>
  /** Renames a file that an engine wrote; `sync` then makes it durable. Creates the folders above it. */
  move(from: string, to: string): Promise<void>
}

/** How an engine reaches the objects of a store. */
export interface EngineAccess {
  path(store: ObjectStore, name: string): string
  /** Call this before an engine opens them. */
  ready(store: ObjectStore, names: string[]): Promise<void>
}

export const BY_LOCAL_PATH: EngineAccess = {
  path: (store, name) => store.local.path(name),
  ready: (store, names) => store.local.stage(names),
}
export const BY_ADDRESS: EngineAccess = {
  path: (store, name) => store.address(name),
  ready: async () => undefined,
}

export interface StoredObject {
  name: string
  size: number
  modifiedMs: number
  /** The store's own identifier of this content, if it has one (S3: ETag). Its times are whole seconds. */
  tag?: string
}
