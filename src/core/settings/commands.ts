/** Settings of every command, and of those that work on datasets and tables. */
import { list, oneOf, PATH, TEXT, url, type SettingRow } from '../setting-row.ts'

export const GENERAL_SETTINGS = {
  config: {
    kind: PATH,
    unset: './headrace.yaml, else headrace.yaml in the home',
    meaning: 'Settings file (the option --config takes precedence)',
    readBy: ['commands'],
    environmentOnly: true,
  },
  home: {
    kind: PATH,
    usual: '.headrace',
    meaning: 'Folder of all data: tables, database, secrets, locks',
    readBy: ['commands', 'serve', 'child'],
  },
  log: {
    kind: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    usual: 'info',
    meaning: 'Lowest level that the log on stderr shows',
    readBy: ['datasets', 'serve'],
  },
  parts: {
    kind: PATH,
    unset: '.headrace/parts in the program folder',
    meaning: 'Folder of downloaded jars: Kafka, Spark, HDFS',
    readBy: ['datasets'],
  },
} as const satisfies Record<string, SettingRow>

export const DATASET_SETTINGS = {
  tables: {
    kind: PATH,
    unset: 'the folder tables in the home',
    meaning: 'Place of tables without a path in their declaration',
    more: 'A folder, `s3://bucket/prefix` or `hdfs://namenode:8020/path`.',
    readBy: ['datasets'],
  },
  brokers: {
    kind: list('a list of broker addresses (host:port)', ','),
    unset: 'the value in the declaration',
    meaning: 'Kafka brokers, instead of those in the declaration',
    readBy: ['datasets'],
  },
  folder: {
    kind: PATH,
    unset: 'the value in the declaration',
    meaning: 'Watched folder, instead of the one in the declaration',
    readBy: ['datasets'],
  },
  spark: {
    kind: TEXT,
    unset: 'the value in the declaration',
    meaning: 'Spark Connect server (host:port) for runs on Spark',
    more: 'The options `--connect` and `--master` take precedence.',
    readBy: ['datasets'],
  },
  spark_token_file: {
    kind: PATH,
    unset: 'the value in the declaration',
    meaning: 'File with the token of the Spark Connect server',
    readBy: ['datasets'],
  },
  webhdfs: {
    kind: url('http://namenode:9870', 'https://namenode:9871'),
    unset: 'port 9870 of the name node, by HTTP',
    meaning: 'WebHDFS address of HDFS',
    readBy: ['datasets', 'child'],
  },
} as const satisfies Record<string, SettingRow>
