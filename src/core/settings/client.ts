/**
 * Settings of commands that call a service. A settings file cannot set them: a file in a folder that you
 * downloaded must not redirect your token. `headrace login` stores services as profiles.
 */
import { TEXT, url, type SettingRow } from '../setting-row.ts'

export const CLIENT_SETTINGS = {
  url: {
    kind: url('http://127.0.0.1:8480', 'https://headrace.example.com'),
    unset: 'the profile, or the service of this home',
    meaning: 'URL of the service to call',
    readBy: ['client'],
    environmentOnly: true,
  },
  token: {
    kind: TEXT,
    unset: 'the profile, or the operator token of this home',
    meaning: 'Token that commands send to the service at url',
    readBy: ['client'],
    secret: true,
    environmentOnly: true,
  },
  profile: {
    kind: TEXT,
    unset: 'the service of this home, or the profile default',
    meaning: 'Name of the profile to use',
    more: 'A profile is the address and token of a service, which `headrace login` stores.',
    readBy: ['client'],
    environmentOnly: true,
  },
} as const satisfies Record<string, SettingRow>
