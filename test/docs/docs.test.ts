/** The pages are run: every command of the tutorial and the README, in order, as a reader would. */
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { commandsOf } from '../support/markdown.ts'
import { openFolder } from '../support/service.ts'
import { broker, until } from '../support/system.ts'

const run = promisify(execFile)

async function shell(command: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { stdout, stderr } = await run('bash', ['-c', command], {
    env: { ...process.env, ...env },
    maxBuffer: 1 << 26,
  })
  return stdout + stderr
}

test('every command of the tutorial works as written, in order', async () => {
  const home = mkdtempSync(join(tmpdir(), 'headrace-tutorial-'))
  const env = { HEADRACE_HOME: home, HEADRACE_FOLDER: join(home, 'incoming') }
  const outputs: string[] = []
  for (const command of commandsOf('docs/tutorial.md')) outputs.push(await shell(command, env))
  expect(outputs[1]).toContain('is valid')
  expect(outputs.filter((text) => text.includes('nothing_new'))).toHaveLength(1)
  expect(outputs.filter((text) => /state +published/.test(text))).toHaveLength(2)
})

test('every command of the page on Spark works as written, in order', async () => {
  const home = mkdtempSync(join(tmpdir(), 'headrace-spark-page-'))
  const env = { HEADRACE_HOME: home, HEADRACE_BROKERS: (await broker()).address }
  const outputs: string[] = []
  for (const command of commandsOf('docs/spark.md')) outputs.push(await shell(command, env))
  expect(outputs[0]).toContain('is valid')
  expect(outputs[2]).toContain('accepted')
  expect(outputs[3]).toMatch(/state +published/)
  expect(outputs[5]).toMatch(/spark-submit --class[\s\S]*(measured runs|No advice yet)/)
})

test('every command of the page on the service works as written, in order', async () => {
  const home = openFolder('headrace-service-page-')
  const env = { HEADRACE_HOME: home }
  const outputs: string[] = []
  try {
    for (const command of commandsOf('docs/service.md'))
      outputs.push(
        await shell(
          command
            .replaceAll('orders-job.json > orders-job.json', `orders-job.json > ${home}/orders-job.json`)
            .replaceAll('-f orders-job.json', `-f ${home}/orders-job.json`)
            .replace('> service.log', `> ${home}/service.log`)
            .replaceAll('backup-of-today', `${home}.backup`)
            .replace('$PWD/restored', `${home}.restored`),
          env,
        ),
      )
    const [
      ,
      ,
      added,
      estimate,
      tried,
      ,
      ,
      quote,
      ,
      draft,
      evaluation,
      promoted,
      run,
      why,
      list,
      usage,
      ledger,
    ] = outputs
    expect(added).toContain('acme')
    expect(estimate).toContain('"cpu_cores":12,"memory_gb":24,"runtime_minutes":210')
    expect(tried).toMatch(/status +active/)
    expect(quote).toMatch(/fits +true/)
    expect([draft, run].every((text) => /status +succeeded/.test(text))).toBe(true)
    expect(evaluation).toMatch(/promotion_eligible +true/)
    expect(promoted).toMatch(/status +promoted/)
    expect(run).toContain('"rows":198')
    expect(why).toMatch(/succeeded/)
    expect(list.match(/succeeded/g)).toHaveLength(2)
    expect(usage).toMatch(/vcpu_hours +100/)
    expect(ledger).toMatch(/settle +held +consumed/)
    expect(outputs.at(-1)).toMatch(/as_of +20/)
  } finally {
    const { pid } = JSON.parse(readFileSync(join(home, 'service.json'), 'utf8')) as { pid: number }
    process.kill(pid, 'SIGTERM')
    await until('the service to end', () => !existsSync(join(home, 'service.json')) || undefined, 30_000)
  }
})

test("the README's own-data commands work on a sample", async () => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-readme-'))
  cpSync('examples/data', join(folder, 'examples/data'), { recursive: true })
  const root = process.cwd()
  const env = { HEADRACE_HOME: join(folder, 'home') }
  const command = (line: string): string =>
    `cd ${folder} && ${line.replace(/\s+#.*$/, '').replace('./headrace', `${root}/headrace`)}`
  const lines = commandsOf('README.md').filter((line) => line.includes('orders'))
  expect(lines).toHaveLength(5)
  for (const line of lines) {
    if (line.includes('--schedule')) await shell(command(line.replace(' --schedule', '')), env)
    else
      await shell(
        command(line.includes('stream') ? `${line.replace(/\s+#.*$/, '')} --until-caught-up` : line),
        env,
      )
  }
  expect(readFileSync(join(folder, 'orders.yaml'), 'utf8')).toContain('path: /orders/order')
  expect(await shell(command(lines[4]), env)).toMatch(/^5$/m)
})

test('the command of the page on development works as written', async () => {
  const [list, ...others] = commandsOf('docs/development.md')
  expect(others).toEqual([])
  expect(await shell(list, {})).toMatch(/^\d+ files changed; \d+ of \d+ test files depend on them$/m)
})

test('the long suites are those that there are, each with what it does, and their test files are there', async () => {
  const listed = (await shell('./headrace test --list', {}))
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/))
  const [, table] = readFileSync('docs/development.md', 'utf8').split('| Suite | What it does |\n')
  expect([...table.split('\n\n')[0].matchAll(/^\| (\w+) \| \S/gm)].map((row) => row[1]).toSorted()).toEqual(
    listed.map(([name]) => name).toSorted(),
  )
  for (const [name, ...files] of listed)
    for (const file of files) expect(existsSync(file), `${name}: ${file}`).toBe(true)
  for (const page of ['docs/service.md', 'docs/growth.md', 'docs/development.md'])
    for (const [, name] of readFileSync(page, 'utf8').matchAll(/headrace test --long (\w+)/g))
      expect(
        listed.map(([suite]) => suite),
        page,
      ).toContain(name)
})
