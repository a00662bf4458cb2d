/**
 * Where bad messages are tried: a topic or a folder with a dataset of its own, and what RAW holds of each
 * message then.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Admin, Producer } from '@platformatic/kafka'
import { GOOD, declaration, type Drift, type Fate } from './poison.ts'
import { cli, deltalake, place, writeFileIn, type Place } from './system.ts'
import type { Format } from './poison-classes.ts'

export interface Clients {
  address: string
  admin: Admin
  producer: Producer
}

export interface Sent {
  name: string
  bytes: Buffer | null
}

/**
 * A place whose dataset reads these messages from a topic of one partition, in their order; a message goes
 * by its offset.
 */
export async function topicWith(
  kafka: Clients,
  format: Format,
  drift: Drift,
  messages: Sent[],
): Promise<Place> {
  const where = place(kafka.address, () => '')
  await kafka.admin.createTopics({ topics: [where.topic], partitions: 1, replicas: 1 })
  const key = (i: number): Buffer =>
    i % 7 === 3 ? Buffer.from([0xff, i & 255, i >> 8]) : Buffer.from(`k${i}`)
  for (let from = 0, until = 0; from < messages.length; from = until) {
    // The broker takes a megabyte at a time.
    for (
      let size = 0;
      until < messages.length && (until === from || size + (messages[until].bytes?.length ?? 0) < 500_000);
      until += 1
    )
      size += messages[until].bytes?.length ?? 0
    await kafka.producer.send({
      messages: messages.slice(from, until).map(({ bytes }, i) => ({
        topic: where.topic,
        partition: 0,
        key: key(from + i),
        value: bytes as Buffer,
      })),
    })
  }
  return prepared(
    where,
    format,
    drift,
    `{ kafka: { brokers: ["${kafka.address}"], topic: ${where.topic}, start: earliest } }`,
  )
}

/** The same from a folder; a file goes by its name. */
export function folderOf(format: Format, drift: Drift, messages: Sent[]): Place {
  const where = place('localhost:1', () => '')
  messages.forEach(({ bytes }, i) =>
    writeFileIn(join(where.home, 'in'), `${String(i).padStart(5, '0')}.txt`, bytes ?? ''),
  )
  return prepared(where, format, drift, '{ files: { path: in, pattern: "*" } }')
}

function prepared(where: Place, format: Format, drift: Drift, source: string): Place {
  writeFileSync(where.declaration, declaration(format, drift, source))
  return { ...where, raw: where.raw.replace('books', 'poison') }
}

export interface Seen {
  fates: Map<number, Fate>
  rules: Map<number, string[]>
  goodIds: number[]
}

/** What RAW holds of each message, by its number. */
export async function seen(where: Place, byName: boolean): Promise<Seen> {
  const rows = await deltalake<[number, string, string | null, string | null, number | null][]>(
    where.raw,
    `print(json.dumps([[int(r['message_key'][:5]) if ${byName ? 'True' : 'False'} else r['kafka_offset'], r['outcome'], r['reject_kind'], r['reject_rule'], r['id']] for r in t.select(['message_key','kafka_offset','outcome','reject_kind','reject_rule','id']).to_pylist()]))`,
  )
  const fates = new Map<number, Fate>()
  const rules = new Map<number, string[]>()
  for (const [at, outcome, kind, rule] of rows) {
    const rejected = kind === 'note' ? 'note' : 'record'
    const fate: Fate = outcome === 'accepted' ? 'accepted' : rejected
    if (fates.get(at) === undefined || fate !== 'accepted') fates.set(at, fate)
    if (rule !== null) rules.set(at, [...(rules.get(at) ?? []), rule])
  }
  return {
    fates,
    rules,
    goodIds: rows
      .filter(([, outcome, , , id]) => outcome === 'accepted' && id !== null && id >= GOOD)
      .map((row) => row[4] as number),
  }
}

export const deathsIn = (stderr: string): number => stderr.split('A child ended').length - 1

export async function stream(
  where: Place,
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; deaths: number; stderr: string }> {
  const { code, stderr } = await cli(
    where,
    ['stream', where.declaration, '--until-caught-up', '-o', 'json'],
    env,
  )
  return { code, stderr, deaths: deathsIn(stderr) }
}
