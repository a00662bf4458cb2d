/**
 * Entry point of the thread that learns: growing a model takes seconds of a core, for which requests must not
 * wait.
 */
import { parentPort } from 'node:worker_threads'
import { estimate, learn, type Model } from '../learning/estimate.ts'
import type { SourceType } from '../learning/rules.ts'
import type { ToLearner } from '../control/loops/learner.ts'

const models = new Map<SourceType, Model>()

/** The same runs always grow the same trees (a linear congruential generator, Numerical Recipes). */
function fixedChance(): () => number {
  let state = 42
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
}

parentPort?.on('message', (message: ToLearner) => {
  if (message.kind === 'learn') {
    const model = learn(message.runs, fixedChance())
    if (model !== undefined) models.set(message.source, model)
    parentPort?.postMessage({ id: message.id, answer: model?.runs ?? 0 })
  } else
    parentPort?.postMessage({
      id: message.id,
      answer: estimate(models.get(message.source), message.source, message.features, message.speed),
    })
})
