/**
 * Entry point of the thread that learns: growing a model takes most of a second of a core, which requests must
 * not wait for. It keeps the models that were asked last.
 */
import { parentPort } from 'node:worker_threads'
import { MISSING, type ToLearner } from '../control/loops/learning-thread.ts'
import { learnCorrection, type Correction } from '../learning/correction.ts'
import { estimate } from '../learning/estimate.ts'
import { LEAST_RUNS, learn, type Model } from '../learning/model.ts'
import type { SourceType } from '../core/service/source-types.ts'

/** At most 2.5 megabytes each. */
const MOST_MODELS = 32
/** By key, the one that was asked last at the end. */
const models = new Map<string, Model>()
const corrections = new Map<SourceType, Correction>()

/**
 * Trees that are grown twice from the same runs are the same (a linear congruential generator, Numerical
 * Recipes).
 */
function fixedChance(): () => number {
  let state = 42
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
}

function modelOf(key: string): Model | undefined {
  const model = models.get(key)
  if (model !== undefined) keep(key, model)
  return model
}

function keep(key: string, model: Model): void {
  models.delete(key)
  models.set(key, model)
  if (models.size > MOST_MODELS) models.delete(models.keys().next().value as string)
}

function answer(message: ToLearner): unknown {
  if (message.kind === 'learn') {
    const { key, source, runs, speed } = message
    const model = learn(source, runs, { chance: fixedChance(), speed })
    if (model !== undefined) keep(key, model)
    return undefined
  }
  if (message.kind === 'correct') {
    corrections.set(message.source, learnCorrection(message.source, message.runs, message.speed))
    return undefined
  }
  const model = modelOf(message.key)
  if (message.kind === 'record') return model?.record ?? MISSING
  const { source: type, tenantId, features, speed, runs } = message
  const asked = { type, tenantId, features, speed, runs, correction: corrections.get(type) }
  if (runs < LEAST_RUNS) return estimate({ ...asked, model: undefined })
  return model === undefined ? MISSING : estimate({ ...asked, model })
}

parentPort?.on('message', (message: ToLearner & { id: number }) =>
  parentPort?.postMessage({ id: message.id, answer: answer(message) }),
)
