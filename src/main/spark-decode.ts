#!/usr/bin/env node
/** Entry point of the decoder in Spark's tasks: messages on stdin, rows on stdout. Its one argument is its settings, packed. */
import { readSync, writeSync } from 'node:fs'
import { inflateSync } from 'node:zlib'
import { armFailpoint } from '../core/failpoint.ts'
import { createLineDecoder, type LineDecoderSettings } from '../runner/line-decoder.ts'

const STDIN = 0
const STDOUT = 1
const READ_BYTES = 1 << 18

const settings = JSON.parse(inflateSync(Buffer.from(process.argv[2] ?? '', 'base64url')).toString('utf8')) as LineDecoderSettings
armFailpoint(settings.failpoint)
// Blocking calls: there is nothing else to do, and Spark feeds and drains the two pipes from threads of its own.
const decoder = createLineDecoder(settings, (bytes) => {
  for (let at = 0; at < bytes.length; ) at += writeSync(STDOUT, bytes, at)
})
const buffer = Buffer.allocUnsafe(READ_BYTES)
for (;;) {
  const length = readSync(STDIN, buffer)
  if (length === 0) break
  decoder.take(buffer.subarray(0, length))
}
decoder.end()
