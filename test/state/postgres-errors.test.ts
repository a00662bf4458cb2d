/** Which errors of a database pass by waiting. */
import { expect, test } from 'vitest'
import { failure } from '../../src/core/errors.ts'
import { mayPassByWaiting } from '../../src/state/postgres-errors.ts'

test.each([
  ['a broken connection', Object.assign(new Error('reset'), { code: 'ECONNRESET' }), true],
  ['a pipe that broke', Object.assign(new Error('broken'), { code: 'EPIPE' }), true],
  ['a connection that ended', new Error('Connection terminated unexpectedly'), true],
  ['a server that shuts down', Object.assign(new Error('shutdown'), { code: '57P01' }), true],
  ['a deadlock', Object.assign(new Error('deadlock'), { code: '40P01' }), true],
  ['a full disk', Object.assign(new Error('full'), { code: '53100' }), true],
  ['a broken rule', Object.assign(new Error('check'), { code: '23514' }), false],
  ['a wrong statement', Object.assign(new Error('syntax'), { code: '42601' }), false],
  ['a mistake in the code', new TypeError('x is not a function'), false],
  ['a lost lease', failure('lease_lost', {}), false],
  ['a database that is away', failure('database_unreachable', {}), true],
])('whether %s passes by waiting: %s', (_, error, passes) => {
  expect(mayPassByWaiting(error)).toBe(passes)
})
