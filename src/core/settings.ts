/**
 * The table of all settings: name, type, default, meaning and readers. The reference page, `headrace
 * settings`, the settings file and the environment variables derive from it. Read values through
 * host/settings.ts.
 */
import type { SettingKind, SettingRow } from './setting-row.ts'
import { DATASET_SETTINGS, GENERAL_SETTINGS } from './settings/commands.ts'
import { INTERNAL_SETTINGS } from './settings/internal.ts'
import { LIMIT_SETTINGS, SERVICE_SETTINGS } from './settings/service.ts'
import { CLIENT_SETTINGS } from './settings/client.ts'

/** The table, by the sections of its page. */
export const SETTING_SECTIONS = {
  General: GENERAL_SETTINGS,
  'Datasets and tables': DATASET_SETTINGS,
  'The service': SERVICE_SETTINGS,
  'Limits of each tenant': LIMIT_SETTINGS,
  'Calling a service': CLIENT_SETTINGS,
  'Tests and internal use': INTERNAL_SETTINGS,
} as const satisfies Record<string, Record<string, SettingRow>>

export const SETTINGS = {
  ...GENERAL_SETTINGS,
  ...DATASET_SETTINGS,
  ...SERVICE_SETTINGS,
  ...LIMIT_SETTINGS,
  ...CLIENT_SETTINGS,
  ...INTERNAL_SETTINGS,
} as const satisfies Record<string, SettingRow>

export type SettingName = keyof typeof SETTINGS

type ValueOf<Row> = Row extends { kind: SettingKind<infer Value>; usual: unknown }
  ? Value
  : Row extends { kind: SettingKind<infer Value> }
    ? Value | undefined
    : never

/** The values in force. */
export type Settings = { readonly [Name in SettingName]: ValueOf<(typeof SETTINGS)[Name]> }

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[]

/** Variables of other programs that Headrace reads instead of having a setting of its own. */
export const FOREIGN_VARIABLES = {
  AWS_ENDPOINT_URL_S3: "Address of an S3 server other than Amazon's",
  AWS_ENDPOINT_URL: 'Address of all AWS services, if `AWS_ENDPOINT_URL_S3` is not set',
  AWS_REGION: 'Region of S3 buckets. Default: us-east-1',
  AWS_DEFAULT_REGION: 'Region, if `AWS_REGION` is not set',
  HADOOP_USER_NAME: 'User on HDFS. Default: the user that runs Headrace',
  SPARK_HOME: 'Spark installation for `headrace spark-submit`',
  SPARK_CONNECT_AUTHENTICATE_TOKEN: 'Token of the Spark Connect server that `headrace spark-submit` starts',
  CREDENTIALS_DIRECTORY: 'Folder of systemd credentials, for `headrace-secrets-key`',
  XDG_CONFIG_HOME: 'Folder of `headrace/profiles.json`. Default: `~/.config`',
  NO_COLOR: 'If set, no colors on the terminal',
  PATH: 'Folders of programs. Executions get it too',
  HOME: 'Passed to executions',
  TMPDIR: 'Passed to executions',
  LANG: 'Passed to executions',
  NODE_EXTRA_CA_CERTS: 'Certificates to trust in addition. Executions get it too',
} as const

export type ForeignVariable = keyof typeof FOREIGN_VARIABLES
