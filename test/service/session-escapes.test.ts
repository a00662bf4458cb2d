/** Statements that try to leave a session of the engine that is locked down. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lockDown, openSession } from '../../src/engines/duckdb/session.ts'
import { openFolder } from '../support/service.ts'

const home = openFolder('headrace-locked-')

const ESCAPES = [
  "SELECT * FROM read_text('/etc/passwd')",
  "SELECT * FROM read_blob('/etc/passwd')",
  "SELECT * FROM read_csv('/etc/passwd')",
  "SELECT * FROM read_csv('FOLDER/../../../etc/passwd')",
  "SELECT * FROM read_json('/proc/self/environ')",
  "SELECT * FROM read_parquet('/tmp/*')",
  "SELECT * FROM '/etc/passwd'",
  "SELECT * FROM glob('/etc/*')",
  "COPY (SELECT 1) TO '/tmp/headrace-escape.csv'",
  "ATTACH '/tmp/headrace-escape.db'",
  "ATTACH ':memory:' AS m; COPY (SELECT 1) TO '/tmp/headrace-escape.csv'",
  "EXPORT DATABASE '/tmp/headrace-escape'",
  "IMPORT DATABASE '/tmp/headrace-escape'",
  'INSTALL httpfs',
  'LOAD httpfs',
  "LOAD '/tmp/x.duckdb_extension'",
  "INSTALL x FROM 'http://127.0.0.1'",
  "SELECT * FROM read_csv('http://127.0.0.1/x')",
  "SELECT * FROM read_csv('s3://b/x')",
  'SET enable_external_access = true',
  'SET lock_configuration = false',
  "SET allowed_directories = ['/']",
  "SET temp_directory = '/etc'",
  "SET memory_limit = '100GB'",
  'SET threads = 64',
  "SET extension_directory = '/tmp'",
  'SET allow_unsigned_extensions = true',
  'RESET enable_external_access',
  'RESET allowed_directories',
  'RESET ALL',
  'PRAGMA enable_external_access = true',
  "PRAGMA temp_directory = '/etc'",
  "SET GLOBAL memory_limit = '100GB'",
  "SET SESSION allowed_paths = ['/etc/passwd']",
  "SET log_query_path = '/tmp/headrace-escape.log'",
  "PRAGMA profile_output = '/tmp/headrace-escape.json'",
  "SELECT getenv('HOME')",
  "CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
  'CREATE PERSISTENT SECRET s (TYPE http)',
  "SELECT * FROM sniff_csv('/etc/passwd')",
  "SELECT * FROM parquet_metadata('/etc/passwd')",
  "SELECT * FROM read_ndjson_objects('/proc/self/cmdline')",
  "COPY t FROM '/etc/passwd'",
  "CREATE TABLE t AS FROM read_text('/etc/hostname')",
  "SELECT content FROM read_text('/proc/self/environ')",
  "SELECT * FROM read_text(['/etc/passwd'])",
  "FROM read_text('//etc/passwd')",
  "FROM read_text('file:///etc/passwd')",
  "FROM read_text('FOLDER/link')",
]

test(`${ESCAPES.length} statements that try to leave a session that is locked down: nothing is read, written or set`, async () => {
  const folder = join(home, 'locked')
  mkdirSync(folder, { recursive: true })
  execFileSync('ln', ['-sf', '/etc/passwd', join(folder, 'link')])
  for (const statement of ESCAPES) {
    const session = await openSession({
      memoryBytes: 256 << 20,
      threads: 1,
      spillFolder: join(home, 'spill'),
    })
    await lockDown(session, [folder])
    const rows = await session.rows(statement.replaceAll('FOLDER', folder)).catch(() => [])
    expect(JSON.stringify(rows), statement).not.toMatch(/root:|PATH=|\/root|node/)
    expect(
      readdirSync('/tmp').filter((name) => name.startsWith('headrace-escape')),
      statement,
    ).toEqual([])
    const [[access, locked]] = await session.rows(
      "SELECT current_setting('enable_external_access'), current_setting('lock_configuration')",
    )
    expect([String(access), String(locked)], statement).toEqual(['false', 'true'])
    await session.close()
  }
})
