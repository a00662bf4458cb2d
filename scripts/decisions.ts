/**
 * The decision records of docs/decisions: one template, one decision each. The index beside them is made from
 * their headings (scripts/generate.ts), and scripts/tidy.ts checks the template.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Finding, SourceFile } from './findings.ts'

const FOLDER = 'docs/decisions'
export const DECISION_INDEX = `${FOLDER}/README.md`
const SECTIONS = ['Context', 'Decision', 'Consequences', 'Measured']
const STATUS = /^(Accepted|Superseded by \[\d{4}\]\(\d{4}-[a-z0-9-]+\.md\))$/

export function readDecisions(root: string): SourceFile[] {
  return readdirSync(join(root, FOLDER))
    .filter((name) => name.endsWith('.md') && name !== 'README.md')
    .toSorted()
    .map((name) => join(FOLDER, name))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

interface Heading {
  number: string
  title: string
  status: string
  date: string
}

function headingOf({ text }: SourceFile): Heading | undefined {
  const [, number, title, status, date] =
    /^# (\d+)\. (.+)\n\n- Status: (.+)\n- Date: (\d{4}-\d{2}-\d{2})\n\n/.exec(text) ?? []
  return number === undefined ? undefined : { number: number.padStart(4, '0'), title, status, date }
}

/** What is wrong with the records; an empty list means that all follow the template. */
export function checkDecisions(records: SourceFile[]): Finding[] {
  const names = new Set(records.map(({ path }) => path.slice(FOLDER.length + 1)))
  return records.flatMap((record) => {
    const say = (message: string): Finding => ({ rule: 'decision', path: record.path, line: 1, message })
    const heading = headingOf(record)
    if (heading === undefined)
      return [say('must begin with "# N. Title", "- Status: ..." and "- Date: YYYY-MM-DD"')]
    const sections = [...record.text.matchAll(/^## (.+)\n\n(?=[^#\n])/gm)].map(([, name]) => name)
    const successor = /\(([^)]+)\)/.exec(heading.status)?.[1]
    return [
      ...(record.path.startsWith(`${FOLDER}/${heading.number}-`) ? [] : [say('its number is not its name')]),
      ...(STATUS.test(heading.status) ? [] : [say(`unknown status ${heading.status}`)]),
      ...(successor === undefined || names.has(successor) ? [] : [say(`there is no ${successor}`)]),
      ...(sections.join() === SECTIONS.join()
        ? []
        : [say(`its sections must be ${SECTIONS.join(', ')}, each with a text`)]),
    ]
  })
}

export function decisionIndex(records: SourceFile[]): string {
  const rows = records.map((record) => {
    const { number, title, status, date } = headingOf(record) ?? {
      number: '',
      title: '',
      status: '',
      date: '',
    }
    return `| [${number}](${record.path.slice(FOLDER.length + 1)}) | ${title} | ${status} | ${date} |`
  })
  return `# Decisions\n\nChoices that cost something to find out. Each record holds one decision in one template: status, date, context, decision, consequences, measured. To change a decision, write a new record and set the status of the old one to "Superseded by".\n\n| Record | Decision | Status | Date |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n`
}
