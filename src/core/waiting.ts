/** Waiting that a stop ends. */
import { HeadraceError } from './errors.ts'

export const STORAGE_PAUSE_MS = 2_000

export interface Sleeper {
  wake: () => void
}

/** Ends early when the signal aborts, or when somebody calls the `wake` that it leaves behind. */
export function pause(ms: number, signal?: AbortSignal, sleeper?: Sleeper): Promise<void> {
  if (signal?.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done, { once: true })
    if (sleeper !== undefined) sleeper.wake = done
    function done(): void {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
  })
}

/** Errors after which storage may take the same thing later. */
export const STORAGE_WAITS: readonly string[] = ['storage_full', 'store_unreachable']

/**
 * A full disk, or storage that is away, loses nothing: the same action is tried again until it goes through
 * or somebody stops us.
 */
export async function whenStorageAllows<T>(
  action: () => Promise<T>,
  signal: AbortSignal,
  onTrouble: (error: HeadraceError) => void,
): Promise<T> {
  for (;;) {
    try {
      return await action()
    } catch (error) {
      if (!(error instanceof HeadraceError) || !STORAGE_WAITS.includes(error.code) || signal.aborted)
        throw error
      onTrouble(error)
      await pause(STORAGE_PAUSE_MS, signal)
    }
  }
}
