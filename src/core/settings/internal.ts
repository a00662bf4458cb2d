/** Settings for tests that crash processes, and settings that Headrace passes to its own processes. */
import { PATH, TEXT, type SettingRow } from '../setting-row.ts'

const FOR_TESTS = { kind: TEXT, unset: 'off', environmentOnly: true, internal: true } as const

export const INTERNAL_SETTINGS = {
  execution: {
    ...FOR_TESTS,
    meaning: 'ID of the execution that a process belongs to',
    more: 'The service sets it. Such a process reaches only hosts that tenants may reach.',
    readBy: ['execution', 'child'],
  },
  failpoint: {
    ...FOR_TESTS,
    meaning: 'Point at which a command kills itself: name or name:n',
    more: 'The page docs/reference/limits.md lists the names.',
    readBy: ['commands'],
  },
  failpoint_child: {
    ...FOR_TESTS,
    meaning: 'Point at which a stream child kills itself',
    readBy: ['child'],
  },
  failpoint_task: {
    ...FOR_TESTS,
    meaning: 'Point at which a Spark task kills itself',
    readBy: ['child'],
  },
  failpoint_once: {
    ...FOR_TESTS,
    kind: PATH,
    meaning: 'Only the process that creates this file kills itself',
    readBy: ['child'],
  },
  trap: {
    ...FOR_TESTS,
    meaning: 'Fault to provoke: refuse:TEXT, kill:TEXT or hang:TEXT',
    more: 'At a value with this text, the engine refuses to write it, the process dies, or decoding never ends.',
    readBy: ['child'],
  },
} as const satisfies Record<string, SettingRow>
