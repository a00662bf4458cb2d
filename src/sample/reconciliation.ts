/**
 * The table at the end of the demo: what was acknowledged (the producer's journal), what the tables and the
 * ledger hold, and whether they agree.
 */
import { join } from 'node:path'
import { readJournal } from './journal.ts'
import { sampleMessage } from './library.ts'
import { bytesText } from '../core/bytes-text.ts'

/** Runs a CLI command and returns its JSON. */
export type Ask = (args: string[]) => Promise<Record<string, unknown>>

export interface Receipt {
  attempt: number
  rows: number
  published_rows: number
  work_seconds: number
  vcpu_hours: number
}

interface Freshness {
  p50: number
  p99: number
}

type Line = Record<string, unknown>

const yes = (good: boolean): string => (good ? 'yes' : 'NO')

/** `tables` runs commands in the tenant's home, `service` in that of the installation. */
export async function reconcile(
  { tables, service }: { tables: Ask; service: Ask },
  dataset: string,
  home: string,
  runs: Receipt[],
): Promise<Line[]> {
  // A folder's messages carry no ID: a message that was sent twice is two files.
  const files = dataset === 'books_files'
  const journal = files ? 'books_files-files.tsv' : 'book_data_topic.tsv'
  const expected = await expectation(join(home, 'journals', journal))
  const raw = await rawOf(tables, dataset)
  const processed = await processedOf(tables, dataset)
  const freshness = await freshnessOf(tables, dataset)
  const cpu = await cpuOf(service)
  return [
    { what: 'produced and acknowledged', messages: expected.messages, records: expected.records, agrees: '' },
    ...readLines(expected, raw, files),
    rawLine(expected, raw, files),
    ...processedLines(expected, processed),
    ...runLines(runs),
    {
      what: 'CPU seconds paid',
      records: Math.round(cpu.paid),
      agrees: yes(Math.abs(cpu.paid - cpu.charged) < ROUNDED_SECONDS * cpu.executions),
      note: 'equals booked cores times run time; drafts are free',
    },
    {
      what: 'freshness p50 / p99',
      note: `${freshness.p50.toFixed(1)} s / ${freshness.p99.toFixed(1)} s from produced to visible, backlog included`,
    },
  ]
}

/** RAW's own counts of what was read. */
function readLines(expected: Expectation, raw: RawFigures, files: boolean): Line[] {
  const { read, accepted, duplicate, quarantined } = raw.counts
  return [
    {
      what: 'read',
      records: read,
      agrees: yes(read === accepted + duplicate + quarantined),
      note: '= accepted + duplicate + quarantined',
    },
    {
      what: '  accepted',
      records: accepted,
      agrees: yes(files ? raw.ids === expected.ids : accepted === expected.accepted),
      note: files ? 'includes files sent twice; the batch drops their records' : 'equals the journal',
    },
    { what: '  duplicate (dropped)', records: duplicate, agrees: '' },
    {
      what: '  quarantined',
      records: quarantined,
      agrees: yes(quarantined === expected.quarantined),
      note: 'equals the journal',
    },
    ...raw.reasons.map((row) => ({ what: `    ${String(row.rule)}`, records: Number(row.n) })),
  ]
}

/** The rows that are in RAW. */
function rawLine(expected: Expectation, raw: RawFigures, files: boolean): Line {
  return {
    what: 'RAW rows',
    records: raw.rows,
    agrees: yes((files || raw.rows === expected.accepted) && raw.ids === expected.ids),
    note: `${raw.files} files, ${bytesText(raw.bytes)}`,
  }
}

/** The published rows: each record once. */
function processedLines(expected: Expectation, { rows, files, bytes, years }: ProcessedFigures): Line[] {
  return [
    {
      what: 'published rows',
      records: rows,
      agrees: yes(rows === expected.ids),
      note: `${files} files, ${bytesText(bytes)}`,
    },
    ...years.map((row) => ({ what: `    publication_year=${String(row.year)}`, records: Number(row.n) })),
  ]
}

/** Rows that each run published: the first is killed on purpose, the last finds nothing new. */
function runLines([first, second, third]: Receipt[]): Line[] {
  return [
    {
      what: 'first run',
      records: first.published_rows,
      agrees: '',
      note: first.attempt > 1 ? `killed, then continued by attempt ${first.attempt}` : 'in one attempt',
    },
    { what: 'second run', records: second.published_rows, note: 'only new records' },
    {
      what: 'third run',
      records: third.published_rows,
      agrees: yes(third.rows === 0 && third.published_rows === 0),
      note: 'nothing new',
    },
  ]
}

interface Expectation {
  messages: number
  records: number
  accepted: number
  /** Different records among them. */
  ids: number
  quarantined: number
}

/** The expected result, from what the producer sent and had acknowledged. */
async function expectation(journal: string): Promise<Expectation> {
  const { header, lines } = await readJournal(journal)
  const made = lines.map((line) => sampleMessage(header.seed, line.index, header.shares))
  const accepted = made.flatMap((message) => message.accepted)
  const quarantined = made.reduce((sum, message) => sum + message.quarantined, 0)
  return {
    messages: lines.length,
    records: accepted.length + quarantined,
    accepted: accepted.length,
    ids: new Set(accepted).size,
    quarantined,
  }
}

interface RawFigures {
  counts: { read: number; accepted: number; duplicate: number; quarantined: number }
  rows: number
  /** Different records among them. */
  ids: number
  reasons: Line[]
  files: number
  bytes: number
}

async function rawOf(tables: Ask, dataset: string): Promise<RawFigures> {
  const table = `${dataset}/raw`
  const { marks, files, bytes } = (await tables(['tables', 'show', table])) as {
    marks: Record<string, number>
    files: number
    bytes: number
  }
  const count = (name: string): number => marks[`headrace/count/${name}`] ?? 0
  const [{ rows, ids }] = await query(
    tables,
    table,
    `SELECT count(*) FILTER (outcome = 'accepted') AS rows, count(DISTINCT record_id) AS ids FROM t`,
  )
  const reasons = await query(
    tables,
    table,
    `SELECT reject_rule AS rule, count(*) AS n
     FROM t
     WHERE outcome = 'quarantined' AND reject_kind = 'record'
     GROUP BY 1
     ORDER BY 2 DESC`,
  )
  const counts = {
    read: count('read'),
    accepted: count('accepted'),
    duplicate: count('duplicate'),
    quarantined: count('quarantined'),
  }
  return { counts, rows: Number(rows), ids: Number(ids), reasons, files, bytes }
}

interface ProcessedFigures {
  rows: number
  files: number
  bytes: number
  years: Line[]
}

async function processedOf(tables: Ask, dataset: string): Promise<ProcessedFigures> {
  const table = `${dataset}/processed`
  const years = await query(
    tables,
    table,
    'SELECT publication_year AS year, count(*) AS n FROM t GROUP BY 1 ORDER BY 1',
  )
  const { rows, files, bytes } = (await tables(['tables', 'show', table])) as {
    rows: number
    files: number
    bytes: number
  }
  return { rows, files, bytes, years }
}

async function query(tables: Ask, table: string, sql: string): Promise<Line[]> {
  return (await tables(['tables', 'query', table, sql])) as unknown as Line[]
}

/** Receipts show vCPU-hours to the sixth decimal. */
const ROUNDED_SECONDS = 0.0036 + 1e-6

/** CPU seconds: charged by the ledger, and by the receipts of the runs. Drafts are free. */
async function cpuOf(service: Ask): Promise<{ paid: number; charged: number; executions: number }> {
  const ledger = (await service(['usage', '--ledger'])) as unknown as {
    items: { credit: string; cpu_microseconds: string }[]
  }
  const executions = (await service(['executions', 'list', '--limit', '500'])) as unknown as {
    items: { resource_used: { charged_vcpu_hours?: number } | null }[]
  }
  const paid = ledger.items
    .filter((entry) => entry.credit === 'consumed')
    .reduce((sum, entry) => sum + Number(entry.cpu_microseconds) / 1e6, 0)
  const charged = executions.items.reduce(
    (sum, execution) => sum + (execution.resource_used?.charged_vcpu_hours ?? 0) * 3_600,
    0,
  )
  return { paid, charged, executions: executions.items.length }
}

/** Age of the newest message of each commit when readers could see it, in seconds. */
async function freshnessOf(tables: Ask, dataset: string): Promise<Freshness> {
  const versions = (await tables(['tables', 'versions', `${dataset}/raw`, '--limit', '1000'])) as unknown as {
    time: string
    details: { newestMs?: number }
  }[]
  const ages = versions
    .filter((version) => (version.details.newestMs ?? 0) > 0)
    .map((version) => (Date.parse(version.time) - (version.details.newestMs as number)) / 1000)
    .toSorted((a, b) => a - b)
  const at = (share: number): number => ages[Math.min(ages.length - 1, Math.floor(ages.length * share))] ?? 0
  return { p50: at(0.5), p99: at(0.99) }
}
