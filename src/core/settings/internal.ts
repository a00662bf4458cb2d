/** What tests set to kill processes on purpose, and what processes of Headrace tell each other. */
import { PATH, TEXT, type SettingRow } from '../setting-row.ts'

const FOR_TESTS = { kind: TEXT, unset: 'off', environmentOnly: true, internal: true } as const

export const INTERNAL_SETTINGS = {
  execution: {
    ...FOR_TESTS,
    meaning: 'id of the execution that a process belongs to',
    more: 'The service sets it; what belongs to an execution reaches only what tenants may reach.',
    readBy: ['execution', 'child'],
  },
  failpoint: {
    ...FOR_TESTS,
    meaning: 'a command kills itself here: name, or name:n',
    more: 'The names are on the page of limits.',
    readBy: ['commands'],
  },
  failpoint_child: {
    ...FOR_TESTS,
    meaning: "a stream's child kills itself here",
    readBy: ['child'],
  },
  failpoint_task: {
    ...FOR_TESTS,
    meaning: 'a task on Spark kills itself here',
    readBy: ['child'],
  },
  failpoint_once: {
    ...FOR_TESTS,
    kind: PATH,
    meaning: 'only who can create this file may kill itself',
    readBy: ['child'],
  },
  trap: {
    ...FOR_TESTS,
    meaning: 'refuse:TEXT, kill:TEXT or hang:TEXT at this value',
    readBy: ['child'],
  },
} as const satisfies Record<string, SettingRow>
