/** What is cut out of a copy's messages, however the socket cuts them. */
import { expect, test } from 'vitest'
import { createUnframer } from '../../src/connectors/postgres/copy-out.ts'
import { createChance } from '../support/chance.ts'

const framed = (code: string, content: Buffer): Buffer => {
  const header = Buffer.alloc(5)
  header.write(code)
  header.writeUInt32BE(content.length + 4, 1)
  return Buffer.concat([header, content])
}

test('rows of any length come out whole, whatever lies between them and wherever the chunks end; what follows is handed on', () => {
  const chance = createChance()
  for (let round = 0; round < 300; round += 1) {
    const rows: Buffer[] = []
    const sent = [framed('H', Buffer.from([0, 0, 0]))]
    for (let i = 0; i < 40; i += 1) {
      const row = Buffer.from(Array.from({ length: Math.floor(chance() ** 3 * 400) }, () => Math.floor(chance() * 256)))
      rows.push(row)
      sent.push(framed('d', row))
      if (chance() < 0.1) sent.push(framed('NSA'[Math.floor(chance() * 3)], Buffer.from('said in between')))
    }
    const failed = chance() < 0.3
    const follows = failed ? framed('E', Buffer.from('SERROR')) : Buffer.concat([framed('C', Buffer.from('COPY 40')), framed('Z', Buffer.from('T'))])
    const all = Buffer.concat([...sent, ...(failed ? [] : [framed('c', Buffer.alloc(0))]), follows])
    const unframer = createUnframer()
    const got: Buffer[] = []
    let after: Buffer | undefined
    let at = 0
    while (after === undefined) {
      const until = at + 1 + Math.floor(chance() ** 2 * 500)
      const found = unframer.rows(Buffer.from(all.subarray(at, until)))
      got.push(found.rows)
      at = until
      if (found.after !== undefined) after = Buffer.concat([found.after, all.subarray(at)])
      else expect(at, `seed ${chance.seed}`).toBeLessThan(all.length)
    }
    expect(Buffer.concat(got).equals(Buffer.concat(rows)), `seed ${chance.seed}`).toBe(true)
    expect(after.equals(follows), `seed ${chance.seed}`).toBe(true)
  }
})
