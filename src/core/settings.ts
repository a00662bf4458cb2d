/**
 * Every setting of Headrace, in one table: its name, what it may be, what holds when nobody sets it, what it
 * means and who reads it. The reference page, `headrace settings`, the settings file and the environment
 * variables are made of it. A value is read through host/settings.ts and nowhere else.
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
  'What a tenant may have': LIMIT_SETTINGS,
  'Which service commands ask': CLIENT_SETTINGS,
  'For tests and between processes': INTERNAL_SETTINGS,
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

/** Variables of other programs that say what Headrace has no setting for. */
export const FOREIGN_VARIABLES = {
  AWS_ENDPOINT_URL_S3: "address of an S3 server that is not Amazon's",
  AWS_ENDPOINT_URL: 'the same, for who sets one address for all services',
  AWS_REGION: 'region of S3 buckets',
  AWS_DEFAULT_REGION: 'the same, in older tools',
  HADOOP_USER_NAME: 'user on HDFS; without it the user of this machine',
  SPARK_HOME: 'a Spark installation, whose spark-submit is used',
  SPARK_CONNECT_AUTHENTICATE_TOKEN: 'token of the Spark Connect server that spark-submit starts',
  CREDENTIALS_DIRECTORY: 'where systemd puts credentials; headrace-secrets-key is looked for there',
  XDG_CONFIG_HOME: 'folder of headrace/profiles.json; without it ~/.config',
  NO_COLOR: 'no colours on the terminal',
  PATH: 'where programs are found',
  HOME: 'handed to executions',
  TMPDIR: 'handed to executions',
  LANG: 'handed to executions',
  NODE_EXTRA_CA_CERTS: 'certificates to trust beside the usual ones; handed to executions',
} as const

export type ForeignVariable = keyof typeof FOREIGN_VARIABLES
