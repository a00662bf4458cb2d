/**
 * Settings of commands that ask a service. From the environment alone: a file that lies in somebody's folder
 * must not send a token elsewhere. `headrace login` remembers services.
 */
import { TEXT, url, type SettingRow } from '../setting-row.ts'

export const CLIENT_SETTINGS = {
  url: {
    kind: url('http://127.0.0.1:8480', 'https://headrace.example.com'),
    unset: "the profile's, else the service of this home",
    meaning: 'the service that commands ask',
    readBy: ['client'],
    environmentOnly: true,
  },
  token: {
    kind: TEXT,
    unset: "the profile's, else the operator's of this home",
    meaning: 'token for that service',
    readBy: ['client'],
    secret: true,
    environmentOnly: true,
  },
  profile: {
    kind: TEXT,
    unset: 'the service of this home, else the profile default',
    meaning: 'profile of headrace login to use',
    readBy: ['client'],
    environmentOnly: true,
  },
} as const satisfies Record<string, SettingRow>
