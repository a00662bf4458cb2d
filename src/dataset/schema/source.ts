/** `source`: a Kafka topic or a watched folder. */
import { list, object, text } from './nodes.ts'

const KAFKA = object(
  'A Kafka topic.',
  {
    brokers: list('host:port of one or more brokers.', { type: 'string', pattern: '^[^:]+:[0-9]+$' }),
    topic: text('Topic name.'),
    start: { enum: ['earliest', 'latest'], description: 'Where a first start begins. Default earliest.' },
    tls: object('TLS to the broker.', {
      ca: text('File with the CA certificate.'),
      verify: { type: 'boolean', description: 'Default true.' },
    }),
    sasl: object(
      'Login.',
      {
        mechanism: { enum: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'], description: 'SASL mechanism.' },
        username: text('User name.'),
        password_file: text('File that holds the password (mode 600).'),
      },
      ['mechanism', 'username', 'password_file'],
    ),
  },
  ['brokers', 'topic'],
)

export const SOURCE = {
  ...object('Exactly one source.', {
    kafka: KAFKA,
    files: object(
      'A watched folder.',
      {
        path: text('Folder, relative to the declaration.'),
        pattern: text(
          'Files to take, with *, ? and {a,b}. Default: the format as ending, *.csv for example, also with .gz or .zst behind it.',
        ),
      },
      ['path'],
    ),
  }),
  minProperties: 1,
  maxProperties: 1,
}
