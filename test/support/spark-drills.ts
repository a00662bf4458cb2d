/** Drills of the stream on Spark: a Connect server and a broker of their own, and waits that end. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { Broker } from '../../src/host/kafka-broker.ts'
import { testSpark, type TestSpark } from './spark.ts'
import { lastVersion, ownBroker, place, sleep, startCli, until, type Place } from './system.ts'

export interface SparkAndBroker {
  spark: TestSpark
  kafka: Broker
  /** A dataset that is streamed on this Spark; `more`: what its declaration ends with. */
  place(more?: string): Place
  /** A server in the place of the one that was killed. */
  restartSpark(): Promise<void>
  restartBroker(): Promise<void>
}

/** A Connect server and a broker, from before the first test of a file until its last. */
export function sparkAndBroker(): SparkAndBroker {
  const brokerFolder = mkdtempSync(join(tmpdir(), 'headrace-broker-'))
  const sparkFolder = mkdtempSync(join(tmpdir(), 'headrace-spark-'))
  const portOf = (address: string): number => Number(address.split(':')[1])
  const world = {
    place(more = '') {
      const where = place(
        world.kafka.address,
        (yaml) =>
          `${yaml}\nengine: spark\nspark: { batch_messages: 2000 }\nstream: { commit_interval_ms: 500 }\n${more}`,
      )
      Object.assign(where.env, world.spark.env)
      return where
    },
    async restartSpark() {
      const { address, token } = world.spark
      world.spark = await testSpark({ folder: sparkFolder, port: portOf(address), token })
    },
    async restartBroker() {
      world.kafka = await ownBroker({ folder: brokerFolder, port: portOf(world.kafka.address) })
    },
  } as SparkAndBroker
  beforeAll(async () => {
    ;[world.spark, world.kafka] = await Promise.all([
      testSpark({ folder: sparkFolder }),
      ownBroker({ folder: brokerFolder, fresh: true }),
    ])
  }, 180_000)
  afterAll(async () => {
    await world.spark.kill()
    await world.kafka.stop()
  })
  return world
}

/**
 * A wait that ends: what hangs fails by its name and shows what the job said, not by the time-out of the
 * whole run.
 */
export async function within<T>(
  what: string,
  waitMs: number,
  work: Promise<T>,
  job?: ReturnType<typeof startCli>,
): Promise<T> {
  const late = Symbol('late')
  const result = await Promise.race([work, sleep(waitMs).then(() => late)])
  if (result === late)
    throw new Error(
      `waited ${waitMs} ms for ${what}${job === undefined ? '' : `; the job said last:\n${job.errors().slice(-3_000)}`}`,
    )
  return result as T
}

/** Waits until the job has committed beyond a version. */
export function commitAfter(
  version: number,
  where: Place,
  job: ReturnType<typeof startCli>,
  waitMs = 60_000,
): Promise<unknown> {
  return within(
    'a commit',
    waitMs,
    until('a commit', () => lastVersion(where) > version || undefined, waitMs + 10_000),
    job,
  )
}
