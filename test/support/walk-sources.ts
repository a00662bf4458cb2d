/** What the jobs of a walk read: tables or folders, each row with a text that no other has. */
import type { Chance } from './chance.ts'

/** What a job says of its source; what of it is undefined does not matter to the kind. */
export interface Choice {
  /** A table or a folder; of folders also both. */
  place: string
  cursor: string
  /** Columns that are read. */
  narrow: boolean
}

export interface WalkSource {
  type: string
  /** What its jobs' declarations say of a record. */
  record?: string
  /**
   * What a declaration says of the source itself, where the zones read it as it lies: then what was read
   * stands in RAW, for all jobs that fill it.
   */
  declared?(choice: Choice): string
  /** The login of its jobs. */
  secret?: object
  /** Places that a job may read, and the cursors it may have. */
  places: string[]
  cursors: string[]
  /** Where a position is one: while this stays, a job goes on. */
  identity(choice: Choice): string
  config(choice: Choice): Record<string, unknown>
  /** Adds what is there at once. */
  insert(place: string, texts: string[]): Promise<void>
  /** Gives some rows new texts. */
  update(place: string, text: () => string, chance: Chance): Promise<void>
  /** Adds in a transaction that is still open; what ends it is returned. */
  late?(place: string, texts: string[]): Promise<(how: 'COMMIT' | 'ROLLBACK') => Promise<void>>
  /** Texts that a read from the beginning must find now, and that later reads must not have missed. */
  texts(choice: Choice): Promise<string[]>
  close(): Promise<void>
}

export const TABLES = ['a', 'b']
