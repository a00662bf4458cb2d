/**
 * The demo's table: what was acknowledged (the producer's journal), what the tables and the ledger hold, and
 * whether they agree.
 */
import { join } from 'node:path'
import { bytesText } from '../cli/output.ts'
import { readJournal } from '../sample/journal.ts'
import { sampleMessage } from '../sample/library.ts'

/** Runs a CLI command and gives its JSON. */
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

/** `tables` asks in the tenant's home, `service` in that of the installation. */
export async function reconcile(
  { tables, service }: { tables: Ask; service: Ask },
  dataset: string,
  home: string,
  runs: Receipt[],
): Promise<Record<string, unknown>[]> {
  const expected = await expectation(
    join(home, 'journals', dataset === 'books' ? 'book_data_topic.tsv' : 'books_files-files.tsv'),
  )
  const query = async (table: string, sql: string): Promise<Record<string, unknown>[]> =>
    (await tables(['tables', 'query', table, sql])) as unknown as Record<string, unknown>[]
  const raw = (await tables(['tables', 'show', `${dataset}/raw`])) as {
    marks: Record<string, number>
    files: number
    bytes: number
  }
  const count = (name: string): number => raw.marks[`headrace/count/${name}`] ?? 0
  const [rawRows] = await query(
    `${dataset}/raw`,
    `SELECT count(*) FILTER (outcome = 'accepted') AS rows, count(DISTINCT record_id) AS ids FROM t`,
  )
  const reasons = await query(
    `${dataset}/raw`,
    `SELECT reject_rule AS rule, count(*) AS n FROM t WHERE outcome = 'quarantined' AND reject_kind = 'record' GROUP BY 1 ORDER BY 2 DESC`,
  )
  const published = await query(
    `${dataset}/processed`,
    'SELECT publication_year AS year, count(*) AS n FROM t GROUP BY 1 ORDER BY 1',
  )
  const processed = (await tables(['tables', 'show', `${dataset}/processed`])) as {
    rows: number
    files: number
    bytes: number
  }
  const freshness = await freshnessOf(tables, dataset)
  const ledger = (await service(['usage', '--ledger'])) as unknown as {
    items: { credit: string; cpu_microseconds: string }[]
  }
  const executions = (await service(['executions', 'list', '--limit', '500'])) as unknown as {
    items: { namespace: string; resource_used: { cpu_seconds: number } | null }[]
  }
  const paid = ledger.items
    .filter((one) => one.credit === 'consumed')
    .reduce((sum, one) => sum + Number(one.cpu_microseconds) / 1e6, 0)
  const measured = executions.items
    .filter((one) => one.namespace !== 'draft-ingestion-ns')
    .reduce((sum, one) => sum + (one.resource_used?.cpu_seconds ?? 0), 0)
  const yes = (good: boolean): string => (good ? 'yes' : 'NO')
  const distinct = new Set(expected.accepted).size
  // A folder's messages carry no id: what was sent twice is two files.
  const files = dataset === 'books_files'
  const idsAgree = Number(rawRows.ids) === distinct
  return [
    { what: 'produced and acknowledged', messages: expected.messages, records: expected.records, agrees: '' },
    {
      what: 'read',
      records: count('read'),
      agrees: yes(count('read') === count('accepted') + count('duplicate') + count('quarantined')),
      note: '= accepted + duplicate + quarantined',
    },
    {
      what: '  accepted',
      records: count('accepted'),
      agrees: yes(files ? idsAgree : count('accepted') === expected.accepted.length),
      note: files ? 'files sent twice included: the batch drops their records' : 'the journal says so',
    },
    { what: '  duplicate (dropped)', records: count('duplicate'), agrees: '' },
    {
      what: '  quarantined',
      records: count('quarantined'),
      agrees: yes(count('quarantined') === expected.quarantined),
      note: 'the journal says so',
    },
    ...reasons.map((one) => ({ what: `    ${String(one.rule)}`, records: Number(one.n) })),
    {
      what: 'RAW rows',
      records: Number(rawRows.rows),
      agrees: yes((files || Number(rawRows.rows) === expected.accepted.length) && idsAgree),
      note: `${raw.files} files, ${bytesText(raw.bytes)}`,
    },
    {
      what: 'published rows',
      records: processed.rows,
      agrees: yes(processed.rows === distinct),
      note: `${processed.files} files, ${bytesText(processed.bytes)}`,
    },
    ...published.map((one) => ({ what: `    publication_year=${String(one.year)}`, records: Number(one.n) })),
    {
      what: 'first run',
      records: runs[0].published_rows,
      agrees: '',
      note:
        runs[0].attempt > 1 ? `killed, and taken up again by attempt ${runs[0].attempt}` : 'in one attempt',
    },
    { what: 'second run', records: runs[1].published_rows, note: 'only what was new' },
    {
      what: 'third run',
      records: runs[2].published_rows,
      agrees: yes(runs[2].rows === 0 && runs[2].published_rows === 0),
      note: 'nothing was new',
    },
    {
      what: 'CPU seconds paid',
      records: Math.round(paid),
      agrees: yes(Math.abs(paid - measured) < 0.01),
      note: 'the ledger against what runs measured; a draft is free',
    },
    {
      what: 'freshness p50 / p99',
      note: `${freshness.p50.toFixed(1)} s / ${freshness.p99.toFixed(1)} s from production to visible, backlog included`,
    },
  ]
}

async function expectation(
  journal: string,
): Promise<{ messages: number; records: number; accepted: string[]; quarantined: number }> {
  const { header, lines } = await readJournal(journal)
  const made = lines.map((line) => sampleMessage(header.seed, line.index, header.shares))
  const accepted = made.flatMap((message) => message.accepted)
  const quarantined = made.reduce((sum, message) => sum + message.quarantined, 0)
  return { messages: lines.length, records: accepted.length + quarantined, accepted, quarantined }
}

async function freshnessOf(tables: Ask, dataset: string): Promise<Freshness> {
  const versions = (await tables(['tables', 'versions', `${dataset}/raw`, '--limit', '1000'])) as unknown as {
    time: string
    details: { newestMs?: number }
  }[]
  const ages = versions
    .filter((one) => (one.details.newestMs ?? 0) > 0)
    .map((one) => (Date.parse(one.time) - (one.details.newestMs as number)) / 1000)
    .toSorted((a, b) => a - b)
  const at = (share: number): number => ages[Math.min(ages.length - 1, Math.floor(ages.length * share))] ?? 0
  return { p50: at(0.5), p99: at(0.99) }
}
