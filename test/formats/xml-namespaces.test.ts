/**
 * Names in namespaces: our scanner against lxml, and the order of columns and of elements, which must not
 * decide.
 */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { checkXmlPaths } from '../../src/dataset/xml-paths.ts'
import type { RawDeclaration } from '../../src/dataset/normalize.ts'
import type { XmlShapeSpec } from '../../src/formats/xml/shape.ts'
import {
  chanceOf,
  makeSpec,
  makeTree,
  mixed,
  shuffled,
  written,
  type MadeElement,
  type Making,
  type Names,
} from '../support/xml-namespaces.ts'
import { issuesWithText, scan, scanInWindows, scannerFor } from '../support/xml.ts'

const RUNS = Math.min(Number(process.env.HEADRACE_TEST_PROPERTY_RUNS ?? 1_000), 30_000)
/** The machine may have much else to do. */
const LIMIT_MS = 60_000 + RUNS * 20
const PYTHON = '.headrace/test-venv/bin/python'

interface Row {
  cells: unknown[]
  issues: string[][]
}

/** A declaration that `check` lets pass. */
function rightSpec(making: Making): XmlShapeSpec {
  for (;;) {
    const spec = makeSpec(making)
    if (mistakes(spec).length === 0) return spec
  }
}

function mistakes({ record, fields, ignore, namespaces }: XmlShapeSpec): string[] {
  const columns = fields.map(({ path, array }, i) => ({
    name: `c${i}`,
    path,
    array: array !== undefined,
    fields: array?.fields,
  }))
  return checkXmlPaths({
    record: { format: 'xml', path: record, ignore, namespaces },
    columns,
  } as RawDeclaration).map((mistake) => mistake.message)
}

function readRows(spec: XmlShapeSpec, document: string): { rows: Row[]; fault: string | undefined } {
  const scanner = scannerFor(spec)
  // Twice: the second time with what was learned of the first.
  scan(scanner, document)
  const { rows, fault, text } = scan(scanner, document)
  const issues = issuesWithText(scanner, text)
  return {
    fault,
    rows: rows.map((cells, row) => ({
      cells: cells.map(readCell(spec)),
      issues: issues
        .filter((issue) => issue.row === row)
        .map((issue) => [issue.kind, issue.value, issue.path]),
    })),
  }
}

const readCell =
  (spec: XmlShapeSpec) =>
  (cell: string | null, column: number): unknown =>
    cell === null || spec.fields[column].array === undefined ? cell : JSON.parse(cell)

const kindAndValue = (rows: Row[]): Row[] =>
  rows.map(({ cells, issues }) => ({
    cells,
    issues: issues.map(([kind, value]) => [kind, value.replace(BLANK_ENDS, '')]).toSorted(bytewise),
  }))
/** Text between elements is reported from its first word on; a column's value is trimmed likewise. */
const BLANK_ENDS = /^[ \t\r\n]+|[ \t\r\n]+$/g
const bytewise = ([kind, value]: string[], [otherKind, otherValue]: string[]): number =>
  Buffer.compare(Buffer.from(`${kind}\0${value}`), Buffer.from(`${otherKind}\0${otherValue}`))

test(
  'lxml finds the same values and the same strangers under the same declaration',
  () => {
    const cases = Array.from({ length: RUNS }, (_, seed) => {
      const making = { chance: chanceOf(seed) }
      return { document: written(makeTree(making), making.chance), spec: rightSpec(making) }
    })
    const run = spawnSync(PYTHON, ['test/support/xml_model.py'], {
      input: cases.map((testCase) => JSON.stringify(testCase)).join('\n'),
      maxBuffer: 1 << 30,
      encoding: 'utf8',
    })
    expect(run.stderr).toBe('')
    const answers = run.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { rows?: Row[]; fault?: string })
    expect(answers).toHaveLength(RUNS)
    cases.forEach(({ document, spec }, i) => {
      const ours = readRows(spec, document)
      const context = `${document}\n${JSON.stringify(spec)}\n${ours.fault} / ${answers[i].fault}`
      expect(ours.fault === undefined, context).toBe(answers[i].fault === undefined)
      if (ours.fault === undefined) expect(kindAndValue(ours.rows), context).toEqual(answers[i].rows)
    })
  },
  LIMIT_MS,
)

/**
 * Elements that compete for a plain step with nobody in no namespace or in the parent's: there the first has
 * it.
 */
function hasTie(element: MadeElement, isOutside = true): boolean {
  const groups = Map.groupBy(
    [...element.children, ...element.attributes],
    (node) => `${'value' in node ? '@' : ''}${node.local}`,
  )
  const ties = [...groups.values()].some(
    (group) =>
      new Set(group.map((node) => node.uri)).size > 1 &&
      !group.some((node) => node.uri === '' || node.uri === element.uri),
  )
  // Of elements that come twice the first has the column: that is an order, and it is said ("appears more
  // than once").
  const twice = [...groups.values()].some(
    (group) => new Set(group.map((node) => node.uri)).size < group.length,
  )
  return (
    ties ||
    (!isOutside && twice) ||
    element.children.some((child) => hasTie(child, element.local === 'root' && child.local !== 'r'))
  )
}

test(
  'the order of columns, of elements and of attributes does not decide',
  () => {
    let judged = 0
    for (let seed = 0; judged < RUNS / 2; seed += 1) {
      const making = { chance: chanceOf(seed), unique: true }
      const { chance } = making
      const tree = makeTree(making)
      const repeatsOutside =
        new Set(tree.children.filter((child) => child.local !== 'r').map((child) => child.local)).size <
        tree.children.filter((child) => child.local !== 'r').length
      if (hasTie(tree) || repeatsOutside) continue
      judged += 1
      const spec = rightSpec(making)
      const order = mixed(
        spec.fields.map((_, i) => i),
        chance,
      )
      const other = { ...spec, fields: order.map((i) => spec.fields[i]), ignore: mixed(spec.ignore, chance) }
      const [first, second] = [written(tree, chance), written(shuffled(tree, chance), chance)]
      const [fromFirst, fromSecond] = [readRows(spec, first), readRows(other, second)]
      const sorted = (rows: Row[], place: (column: number) => number): unknown =>
        rows.map(({ cells, issues }) => [
          cells.map((_, i) => inAnyOrder(cells[place(i)])),
          issues
            .map((all) => [all[0], all[2], all[1].replace(/\s/g, '')])
            .map(String)
            .toSorted(),
        ])
      expect(
        sorted(fromSecond.rows, (i) => order.indexOf(i)),
        `${first}\n${second}\n${JSON.stringify(spec)}\n${order}`,
      ).toEqual(sorted(fromFirst.rows, (i) => i))
    }
  },
  LIMIT_MS,
)

/** Arrays in one order, those in their items too; members of items by name. */
function inAnyOrder(cell: unknown): unknown {
  if (Array.isArray(cell)) return cell.map((item) => JSON.stringify(inAnyOrder(item))).toSorted()
  if (cell === null || typeof cell !== 'object') return cell
  const members = Object.entries(cell).map(([name, value]) => [name, inAnyOrder(value)] as const)
  return Object.fromEntries(members.toSorted(([name], [other]) => (name < other ? -1 : 1)))
}

const ODD: Names = {
  leaves: ['t', 'x.y', 'a-b', '_1', 'é', '漢字', 'T'],
  containers: ['c', 'c.d', 'naïve'],
  attributes: ['id', 'x.y', 'é'],
  uris: ['', 'urn:a', 'http://x/y?z=1&w#f', 'urn:{braces}', '}'],
}

test(
  'the path of a stranger leads back to it: declared it takes that value, ignored it is not reported',
  () => {
    let judged = 0
    for (let seed = 0; judged < RUNS / 2; seed += 1) {
      const making = { chance: chanceOf(seed), unique: true, names: ODD }
      const spec = { ...rightSpec(making) }
      const document = written(makeTree(making), making.chance)
      const before = readRows(spec, document).rows
      const row = before.findIndex(({ issues }) => issues.some(([kind]) => kind === 'unexpected'))
      if (row < 0) continue
      judged += 1
      const strangers = before[row].issues.filter(([kind]) => kind === 'unexpected')
      const [, value, path] = making.chance.pick(strangers)
      const first = strangers.find((stranger) => stranger[2] === path) as string[]
      const context = `${document}\n${JSON.stringify(spec)}\n${path} = ${value}`
      const declared = { ...spec, fields: [...spec.fields, { path }] }
      expect(mistakes(declared), context).toEqual([])
      const after = readRows(declared, document).rows[row]
      expect((after.cells.at(-1) as string | null)?.trim(), context).toBe(first[1].trim())
      expect(after.cells.slice(0, -1), context).toEqual(before[row].cells)
      const others = (issues: string[][], isIt: (at: string) => boolean): string[] =>
        issues
          .filter(([, , at]) => !isIt(at))
          .map(([kind, text, at]) => `${kind} ${at} ${text.replace(BLANK_ENDS, '')}`)
          .toSorted()
      // An element without text is a stranger until something of it is declared.
      const isEmptyAbove = ([, empty, at]: string[]): boolean =>
        empty.trim() === '' && path.startsWith(`${at}/`)
      expect(
        others(after.issues, (at) => at === path),
        context,
      ).toEqual(
        others(
          before[row].issues.filter((issue) => !isEmptyAbove(issue)),
          (at) => at === path,
        ),
      )
      expect(
        after.issues.filter(([kind, , at]) => at === path && kind === 'unexpected'),
        context,
      ).toEqual([])
      const left = readRows({ ...spec, ignore: [...spec.ignore, path] }, document).rows[row]
      expect(left.cells, context).toEqual(before[row].cells)
      // Ignored is an element with all that is below it; what is declared there is taken, and found if it
      // comes twice.
      const isLeft = ([kind, , at]: string[]): boolean =>
        kind === 'unexpected' &&
        (at === path || (path !== '.' && at.startsWith(`${path.replace(/\/\.$/, '')}/`)))
      expect(
        others(left.issues, () => false),
        context,
      ).toEqual(
        others(
          before[row].issues.filter((issue) => !isEmptyAbove(issue) && !isLeft(issue)),
          () => false,
        ),
      )
    }
  },
  LIMIT_MS,
)

test(
  'what is kept of a record of a large file is read as the record was, whatever its ancestors bound',
  () => {
    let behind = 0
    let around = 0
    for (let seed = 0; seed < RUNS / 2; seed += 1) {
      const making = { chance: chanceOf(seed) }
      const groups = Array.from({ length: 1 + making.chance.below(3) }, () => ({
        ...makeTree(making),
        local: 'g',
        texts: [],
      }))
      const root: MadeElement = {
        local: 'root',
        uri: making.chance.pick(['', 'urn:a', 'urn:"<&\t']),
        attributes: [],
        children: groups,
        texts: [],
      }
      const inside = rightSpec(making)
      const fields = inside.fields.map((field) => ({
        ...field,
        path: field.path.replace(/^\/root\//, '/root/g/'),
      }))
      // Values around the records are what a window can cut.
      fields.push({ path: `/root/g/${making.chance.pick(['t', 'u', 'c/t', 'd/u', 'c/@id', '@k'])}` })
      const spec = {
        ...inside,
        record: making.chance.pick(['/root/g/r', '/root/g/r', '/root/g/{}r', '/root/a:g/{urn:c}r']),
        fields,
      }
      if (mistakes(spec).length > 0) continue
      const document = written(root, making.chance)
      const whole = readRows(spec, document)
      const parts = scanInWindows(scannerFor(spec), Buffer.from(document), 1 + making.chance.below(200))
      const context = `${document}\n${JSON.stringify(spec)}\n${whole.fault}`
      if (parts.fault?.includes('comes after the records')) {
        behind += 1
        continue
      }
      expect(parts.fault, context).toBe(whole.fault)
      // Of a document that is broken further on, the caller takes the rows back.
      if (parts.fault !== undefined) continue
      expect(
        parts.rows.map((row) => row.map(readCell(spec))),
        context,
      ).toEqual(whole.rows.map((row) => row.cells))
      parts.originals.forEach((original, row) => {
        if (whole.rows[row].cells.some((cell, i) => cell !== null && fields[i].path.startsWith('/')))
          around += 1
        expect(readRows(spec, original), `${context}\n${original}`).toEqual({
          fault: undefined,
          rows: [whole.rows[row]],
        })
      })
    }
    expect(behind).toBeGreaterThan(0)
    expect(around).toBeGreaterThan(RUNS / 40)
  },
  LIMIT_MS,
)
