/** What Java's compressors write is undone by ours, alone and joined. */
import { expect, test } from 'vitest'
import { inflate } from '../../src/connectors/kafka/inflate.ts'
import { java } from '../support/java.ts'

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const MOST = 64 * 1024 * 1024

test.each([0, 1, 300, 60_000])(
  '%i lines as Kafka in Java packs them, alone and twice in a row',
  async (lines) => {
    let text = ''
    for (let i = 0; i < lines; i += 1) text += `line ${(i * 2_654_435_761) % 2 ** 32} of many\n`
    const compressed = (await java('kafka', 'Compressed', [String(lines)]))
      .split('\n')
      .map((line) => line.split(' '))
    expect(compressed.map(([name]) => name)).toEqual([
      'gzip',
      'snappy',
      'lz4',
      'zstd',
      'lz4',
      'lz4',
      'lz4',
      'lz4',
    ])
    for (const [name, base64] of compressed) {
      const packed = Buffer.from(base64, 'base64')
      const undone = [packed, Buffer.concat([packed, packed])].map((body) => {
        const inflated = inflate(body, CODECS.indexOf(name), MOST)
        return 'reason' in inflated ? inflated.reason : Buffer.from(inflated.bytes).toString('utf8')
      })
      expect(undone.map((unpacked) => unpacked === text || unpacked === text + text)).toEqual([true, true])
      expect(undone[1].length).toBe(2 * text.length)
    }
  },
)
