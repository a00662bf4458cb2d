/** Tables of MariaDB read in parts, by ranges of their key. */
import mysql from 'mysql2/promise'
import { afterAll, expect, test } from 'vitest'
import { createChance } from '../support/chance.ts'
import { openLink } from '../support/link.ts'
import { connectTo, lateWriter } from '../support/mariadb.ts'
import { openFolder } from '../support/service.ts'
import {
  LATE_TIMEOUT_MS,
  readBesideLateWriters,
  rowsOf,
  runWork,
  type LateWriter,
} from '../support/transfers.ts'
import { mariaSource } from '../support/database-servers.ts'
import { breakAfterParts } from '../support/broken-reads.ts'

const home = openFolder('headrace-parts-')
const maria = await mariaSource(home, { snapshot: 'per_part', part_bytes: 65_536, connections: 3 })
afterAll(maria.close)

const chance = createChance()

test('MariaDB by ranges of its key: the table whole, negative and sparse keys too; refused by name when the key cannot be cut', async () => {
  await maria.client.query(
    `
      CREATE TABLE spread (id bigint PRIMARY KEY, text varchar(100));
      INSERT INTO spread
      SELECT CASE WHEN seq % 2 = 0 THEN -seq ELSE seq * 1000003 END, md5(seq)
      FROM seq_1_to_20000;
      ANALYZE TABLE spread;
      CREATE TABLE worded (id varchar(10) PRIMARY KEY)
    `,
  )
  const { receipt } = await runWork(maria.work({ table: 'spread' }))
  const [{ sum }] = (
    await maria.client.query<mysql.RowDataPacket[]>('SELECT CAST(sum(id) AS CHAR) AS sum FROM spread')
  )[0]
  expect(
    await rowsOf(
      receipt.output,
      'SELECT count(*)::INT AS rows, count(DISTINCT id)::INT AS ids, sum(id)::VARCHAR AS sum FROM T',
    ),
  ).toEqual([{ rows: 20_000, ids: 20_000, sum }])
  await expect(runWork(maria.work({ table: 'worded' }))).rejects.toMatchObject({ code: 'not_supported' })
})

test(
  'MariaDB by ranges beside writers that commit late, broken once: the first read and the ones after it lose and double nothing',
  async () => {
    await maria.client.query(
      `
        CREATE TABLE flood (id bigint PRIMARY KEY AUTO_INCREMENT, seen datetime NOT NULL, pad char(200));
        INSERT INTO flood (seen, pad)
        SELECT now() - INTERVAL (30 + seq MOD 1000) SECOND, repeat("x", 200)
        FROM seq_1_to_40000;
        ANALYZE TABLE flood
      `,
    )
    const slow = await openLink(() => maria.server.port)
    const writer = async (): Promise<LateWriter> =>
      lateWriter(await connectTo(maria.server, { timezone: 'Z' }), 'flood')
    const files: string[] = []
    let cursor: unknown
    let kept: number | undefined
    const first = maria.work({ table: 'flood', cursor: 'seen', overlap: 60, port: slow.port })
    const committed = await readBesideLateWriters({
      chance,
      writer,
      async read() {
        if (cursor === undefined) await breakAfterParts(first, slow)
        const { receipt, cursor: next } = await runWork(
          cursor === undefined
            ? first
            : maria.work({ table: 'flood', cursor: 'seen', overlap: 60 }, { cursor }),
        )
        kept ??= receipt.parts_kept
        // By another port it is another server: without its name the position is taken over.
        cursor = (next as { at: unknown }).at
        files.push(...receipt.output)
      },
    })
    await slow.close()
    expect(kept).toBeGreaterThan(3)
    const [{ rows, ids }] = await rowsOf(
      files,
      'SELECT count(*)::INT AS rows, count(DISTINCT id)::INT AS ids FROM T',
    )
    expect({ rows, ids }).toEqual({ rows: 40_000 + committed.size, ids: 40_000 + committed.size })
  },
  LATE_TIMEOUT_MS,
)
