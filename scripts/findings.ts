/** What the checks of style look at, and what they find. */

export interface SourceFile {
  /** Path from the project's root: `src/core/errors.ts`. */
  path: string
  text: string
}

export interface Finding {
  rule: string
  path: string
  line: number
  message: string
}
