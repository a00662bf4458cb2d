/** A run of the key index: sorted keys in one object. */

export interface KeyRun {
  name: string
  count: number
  /** Logical time of the newest batch in it, for a declared horizon. */
  newestMs: number
}
