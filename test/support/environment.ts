/** The environment of a test process, which programs that it starts inherit. */

/** Remembers it as it is now. Returns what puts it back: with the values of then, and without what came since. */
export function keepEnvironment(): () => void {
  const before = { ...process.env }
  return () => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
    Object.assign(process.env, before)
  }
}
