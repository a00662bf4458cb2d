/**
 * Where tables live. One store serves one root; names are relative, with `/`, and never start with it.
 *
 * Who calls: the lakehouse, from one process at a time per writer, from many as readers. Any method may be
 * called concurrently. A method that fails throws an error of the table (core/errors.ts) that names the
 * object; a missing object is not a failure for `read` and `stat` (undefined) nor for `delete` (nothing
 * happens).
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
   * Creates, durable and in one step; false when the name is taken by other bytes. This is the commit
   * primitive. When the name holds exactly these bytes the answer is true: it is our own earlier success,
   * whose answer was lost.
   */
  writeIfAbsent(name: string, bytes: Uint8Array): Promise<boolean>
  /** All objects below a folder, in order of name; with `after`, only names greater than it. */
  list(folder: string, after?: string): Promise<StoredObject[]>
  stat(name: string): Promise<StoredObject | undefined>
  /** Folders that have nothing in them any more go as well, but for the root. */
  delete(name: string): Promise<void>
  /**
   * Deletes what interrupted writes left behind and `list` does not show, when it is older: unfinished files,
   * empty folders.
   */
  sweep(beforeMs: number): Promise<void>
  /** Gives an object a twin, which `local.sync` then makes durable. Folders above it need not be there. */
  copy(from: string, to: string): Promise<void>
  /**
   * Where an engine that reads the store by itself finds an object: `file:///...`, `s3a://...`, `hdfs://...`.
   */
  address(name: string): string
  /**
   * Creates an object from a file of this machine, of any size: whole, durable, and in one step at the end of
   * the upload; false when the name is taken by then. What broken uploads of the same name left behind goes.
   */
  createFrom(path: string, name: string): Promise<boolean>
  /** For engines of this machine. */
  readonly local: LocalFiles
}

/**
 * Files of a store as engines of this machine open and write them. Where the store is this machine's disk, they
 * are the objects themselves; elsewhere they are copies.
 */
export interface LocalFiles {
  /**
   * Where an engine on this machine opens an object that was staged, or writes one that `sync` then makes
   * durable in the store.
   */
  path(name: string): string
  /** Makes objects readable at their local paths; a store that is not this machine's disk fetches them. */
  stage(names: string[]): Promise<void>
  /** Makes files that an engine wrote itself durable: their bytes, their names, the folders above them. */
  sync(names: string[]): Promise<void>
  /** Makes the folder behind a local path, which only the caller knows, for an engine to write into. */
  makeFolder(name: string): Promise<void>
  /**
   * Removes such a folder with all that is still in it. Never fails: what it leaves is old one day, and
   * vacuum takes it.
   */
  dropFolder(name: string): Promise<void>
  /**
   * Gives a file that an engine wrote another name, which `sync` then makes durable. Folders above it need
   * not be there.
   */
  move(from: string, to: string): Promise<void>
}

/** How an engine comes to the objects of a store. */
export interface EngineAccess {
  path(store: ObjectStore, name: string): string
  /** Before an engine opens them. */
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
  /** What the store itself calls this content, where it does (S3: ETag): its times are whole seconds. */
  tag?: string
}
