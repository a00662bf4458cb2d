/** `record` and `message_id`: the shape of one record, and the identity of a message. */
import { list, object, text } from './nodes.ts'

export const RECORD = object(
  'Format of messages and files, and what one record is.',
  {
    format: {
      enum: ['xml', 'json', 'ndjson', 'csv'],
      description:
        'Format of messages and files. ndjson: one record per line. csv: columns are found by the names in the header. Avro, Protobuf and schema registries are not supported yet.',
    },
    path: text(
      'Path of a record. XML: /library/book. JSON: $ (the whole message) or $.books[*] (each item). Not for ndjson and csv.',
    ),
    encoding: text(
      'Encoding of documents without a byte order mark, e.g. windows-1252, iso-8859-15, shift_jis, utf-16le. Default: the encoding in the XML declaration, UTF-16 if detected, else UTF-8.',
    ),
    delimiter: text(
      'For csv: the character between fields. It cannot be a letter, a digit or a line end. Default a comma.',
    ),
    quote: text('For csv: the character around fields that contain a delimiter; empty for none. Default ".'),
    header: {
      type: 'boolean',
      description:
        'For csv: whether the first line has the names. If false, the paths of columns are positions, from 1. Default true.',
    },
    namespaces: {
      type: 'object',
      description: 'For XML: the namespace URI of each prefix that paths use (docs/reference/paths.md).',
      additionalProperties: { type: 'string' },
    },
    ignore: list('Paths in the record to skip without a finding; * skips all unknown fields.'),
  },
  ['format'],
)

export const MESSAGE_ID = object(
  'Identity of a message, to detect duplicates that the producer sent.',
  {
    from: { enum: ['key', 'header', 'none'], description: 'Where the identity comes from. Default key.' },
    header: text('For from: header: name of the header.'),
  },
  ['from'],
)
