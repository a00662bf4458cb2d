/** Waiting that a stop ends. */
import { HeadraceError } from '../core/errors.ts'

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

/** A full disk loses nothing: the same action is tried again until there is room or somebody stops us. */
export async function whenThereIsRoom<T>(action: () => Promise<T>, signal: AbortSignal, onFull: (error: HeadraceError) => void): Promise<T> {
  for (;;) {
    try {
      return await action()
    } catch (error) {
      if (!(error instanceof HeadraceError) || error.code !== 'storage_full' || signal.aborted) throw error
      onFull(error)
      await pause(STORAGE_PAUSE_MS, signal)
    }
  }
}
