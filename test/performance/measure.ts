/**
 * Alternated pairs on a machine that is as quiet as it gets: medians of ratios, CPU seconds beside wall, load
 * said.
 */
import { spawn } from 'node:child_process'
import { loadavg } from 'node:os'
import { readFileSync } from 'node:fs'

export interface Run {
  wallS: number
  cpuS: number
  /** What the run reports about itself: rows out, for example, which must agree between rivals. */
  result: Record<string, number>
}

export interface BenchReport {
  bench: string
  ratios: Record<string, number>
  figures: Record<string, number | string>
  load: [number, number]
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}

/**
 * Runs a command to its end; CPU is user + system of the whole tree, by the shell's own accounting. The last
 * stdout line is JSON.
 */
export async function runCommand(command: string[], env: NodeJS.ProcessEnv): Promise<Run> {
  await quiet()
  const started = performance.now()
  const child = spawn('bash', ['-c', 'TIMEFORMAT=\'@@ %U %S\'; time "$@"', 'bash', ...command], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const code = await new Promise<number | null>((done) => child.on('close', done))
  const wallS = (performance.now() - started) / 1000
  const times = /@@ ([\d.]+) ([\d.]+)/.exec(err)
  if (code !== 0 || times === null)
    throw new Error(`${command.join(' ')} ended with ${code}\n${err.slice(-2000)}`)
  return {
    wallS,
    cpuS: Number(times[1]) + Number(times[2]),
    result: JSON.parse(out.slice(out.indexOf('{'))) as Record<string, number>,
  }
}

/** Waits (at most 20 s) until the machine used less than 0.15 core over a second. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 20; i += 1) {
    const before = busy()
    await new Promise((done) => setTimeout(done, 1_000))
    if (busy() - before < 15) return
  }
}

/** Busy hundredths of a second of all cores since boot. */
function busy(): number {
  const [, user, nice, system, , , irq, soft] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]
    .split(/\s+/)
    .map(Number)
  return user + nice + system + irq + soft
}

/** Runs ours and the rival in turn; the order changes with each pair. */
export async function alternate(
  pairs: number,
  ours: () => Promise<Run>,
  rival: () => Promise<Run>,
): Promise<{ ours: Run[]; rival: Run[] }> {
  const all = { ours: [] as Run[], rival: [] as Run[] }
  for (let pair = 0; pair < pairs; pair += 1) {
    const order = pair % 2 === 0 ? (['ours', 'rival'] as const) : (['rival', 'ours'] as const)
    for (const who of order) all[who].push(await (who === 'ours' ? ours : rival)())
  }
  return all
}

/** Median of the pairs' ratios of `rival / ours` in what `of` takes from a run: above 1 we use less. */
export function ratio(runs: { ours: Run[]; rival: Run[] }, of: (run: Run) => number): number {
  return Number(median(runs.ours.map((run, i) => of(runs.rival[i]) / of(run))).toFixed(2))
}

export const load = (): number => Number(loadavg()[0].toFixed(2))

export interface BenchOptions {
  rival: string | undefined
  pairs: number
}
