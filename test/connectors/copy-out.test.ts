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
      const row = Buffer.from(
        Array.from({ length: Math.floor(chance() ** 3 * 400) }, () => Math.floor(chance() * 256)),
      )
      rows.push(row)
      sent.push(framed('d', row))
      if (chance() < 0.1) sent.push(framed('NSA'[Math.floor(chance() * 3)], Buffer.from('said in between')))
    }
    const failed = chance() < 0.3
    const follows = failed
      ? framed('E', Buffer.from('SERROR'))
      : Buffer.concat([framed('C', Buffer.from('COPY 40')), framed('Z', Buffer.from('T'))])
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

test('rows that begin with the mark, that are long or no UTF-8 go aside whole, each once; the others come out as before', () => {
  const chance = createChance()
  const mark = Buffer.from('"\u0001mark')
  const any = (length: number, from = 32): Buffer =>
    Buffer.from(Array.from({ length }, () => from + Math.floor(chance() * 90)))
  let isChecked = false
  const anyRow = (): Buffer => {
    const kind = chance()
    if (kind < 0.2) return Buffer.concat([mark, any(Math.floor(chance() * 300))])
    if (kind < 0.3) return mark.subarray(0, Math.floor(chance() * mark.length))
    if (kind < 0.45) return any(201 + Math.floor(chance() * 300))
    if (isChecked && kind < 0.6) return Buffer.concat([any(3), Buffer.from([0xe4, 0x20])])
    return any(1 + Math.floor(chance() * 200))
  }
  const wayOf = (row: Buffer): 'marked' | 'large' | 'broken' | 'plain' => {
    if (row.subarray(0, mark.length).equals(mark)) return 'marked'
    if (row.length > 200) return 'large'
    return row.includes(0xe4) ? 'broken' : 'plain'
  }
  for (let round = 0; round < 300; round += 1) {
    isChecked = round % 3 === 0
    const sent = {
      plain: [] as string[],
      marked: [] as string[],
      large: [] as string[],
      broken: [] as string[],
    }
    const messages = Array.from({ length: 30 }, () => {
      const row = anyRow()
      if (row.length > 0) sent[wayOf(row)].push(row.toString('latin1'))
      return framed('d', row)
    })
    const all = Buffer.concat([...messages, framed('c', Buffer.alloc(0))])
    const got = { marked: [] as string[], large: [] as string[], broken: [] as string[] }
    const to = (kind: keyof typeof got) => (row: Buffer) => void got[kind].push(row.toString('latin1'))
    const unframer = createUnframer({
      mark,
      onMarked: to('marked'),
      largeBytes: 200,
      onLarge: to('large'),
      ...(isChecked ? { onBroken: to('broken') } : {}),
    })
    const plain: Buffer[] = []
    for (let at = 0; at < all.length;) {
      const until = at + 1 + Math.floor(chance() ** 2 * 300)
      plain.push(unframer.rows(Buffer.from(all.subarray(at, until))).rows)
      at = until
    }
    expect(got, `seed ${chance.seed}`).toEqual({
      marked: sent.marked,
      large: sent.large,
      broken: sent.broken,
    })
    expect(Buffer.concat(plain).toString('latin1'), `seed ${chance.seed}`).toBe(sent.plain.join(''))
  }
})
