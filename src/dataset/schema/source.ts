/** `source`: a Kafka topic or a watched folder. */
import { list, object, text } from './nodes.ts'

const KAFKA = object(
  'A Kafka topic.',
  {
    brokers: list('Addresses (host:port) of one or more brokers.', {
      type: 'string',
      pattern: '^[^:]+:[0-9]+$',
    }),
    topic: text('Name of the topic.'),
    start: {
      enum: ['earliest', 'latest'],
      description: 'Where the first start begins to read. Default earliest.',
    },
    tls: object('TLS to the brokers.', {
      ca: text('File with the certificate of the authority (PEM).'),
      verify: { type: 'boolean', description: 'Check the certificate of the broker. Default true.' },
    }),
    sasl: object(
      'Login to the brokers.',
      {
        mechanism: { enum: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'], description: 'SASL mechanism.' },
        username: text('User name.'),
        password_file: text('File with the password (mode 600).'),
      },
      ['mechanism', 'username', 'password_file'],
    ),
  },
  ['brokers', 'topic'],
)

export const SOURCE = {
  ...object('Source of the records. Exactly one of these.', {
    kafka: KAFKA,
    files: object(
      'A watched folder.',
      {
        path: text('Folder to watch, relative to the declaration.'),
        pattern: text(
          'File names to read, with *, ? and {a,b}. Default: the format as extension, e.g. *.csv, also followed by .gz or .zst.',
        ),
      },
      ['path'],
    ),
  }),
  minProperties: 1,
  maxProperties: 1,
}
