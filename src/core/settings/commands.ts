/** Settings of every command, and of those that work on datasets and tables. */
import { list, oneOf, PATH, TEXT, url, type SettingRow } from '../setting-row.ts'

export const GENERAL_SETTINGS = {
  config: {
    kind: PATH,
    unset: './headrace.yaml, else headrace.yaml in the home',
    meaning: 'the settings file; the option --config goes before',
    readBy: ['commands'],
    environmentOnly: true,
  },
  home: {
    kind: PATH,
    usual: '.headrace',
    meaning: 'folder of all that a run writes: tables, locks, secrets',
    readBy: ['commands', 'serve', 'child'],
  },
  log: {
    kind: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    usual: 'info',
    meaning: 'the least level of lines in the log on stderr',
    readBy: ['datasets', 'serve'],
  },
  parts: {
    kind: PATH,
    unset: '.headrace/parts beside the program',
    meaning: 'folder of fetched jars: Kafka, Spark, HDFS',
    readBy: ['datasets'],
  },
} as const satisfies Record<string, SettingRow>

export const DATASET_SETTINGS = {
  tables: {
    kind: PATH,
    unset: 'tables in the home',
    meaning: 'where tables lie that no declaration places',
    more: 'A folder, s3://bucket/prefix or hdfs://namenode:8020/path.',
    readBy: ['datasets'],
  },
  brokers: {
    kind: list('addresses of Kafka brokers (host:port)', ','),
    unset: 'as each declaration says',
    meaning: "brokers, instead of a declaration's",
    readBy: ['datasets'],
  },
  folder: {
    kind: PATH,
    unset: 'as each declaration says',
    meaning: "watched folder, instead of a declaration's",
    readBy: ['datasets'],
  },
  spark: {
    kind: TEXT,
    unset: 'as each declaration says',
    meaning: 'Spark Connect server (host:port), when a run is on Spark',
    more: 'The options --connect and --master go before.',
    readBy: ['datasets'],
  },
  spark_token_file: {
    kind: PATH,
    unset: 'as each declaration says',
    meaning: 'file with the token of that server',
    readBy: ['datasets'],
  },
  webhdfs: {
    kind: url('http://namenode:9870', 'https://namenode:9871'),
    unset: 'http, port 9870 of the name node',
    meaning: 'web address of HDFS',
    readBy: ['datasets', 'child'],
  },
} as const satisfies Record<string, SettingRow>
