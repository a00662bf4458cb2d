/** `record` and `message_id`: what one record is, and by what a message is known. */
import { list, object, text } from './nodes.ts'

export const RECORD = object(
  'What one record is.',
  {
    format: {
      enum: ['xml', 'json', 'ndjson', 'csv'],
      description:
        'Format of messages and files. ndjson: a record a line; csv: columns by the names of the header. avro, protobuf and schema registries are not supported yet.',
    },
    path: text('XML: /library/book. JSON: $ (the message), $.books[*] (each item). Not for ndjson and csv.'),
    encoding: text(
      'Encoding of documents that do not say it themselves by a byte order mark: windows-1252, iso-8859-15, shift_jis, utf-16le. Default: that of the XML declaration, UTF-16 where it shows, else UTF-8.',
    ),
    delimiter: text(
      'csv: one character between fields, any but letters, digits and line ends. Default a comma.',
    ),
    quote: text('csv: one character around fields that hold a delimiter; empty for none. Default ".'),
    header: {
      type: 'boolean',
      description:
        'csv: whether the first line has the names; without, paths of columns are positions from 1. Default true.',
    },
    namespaces: {
      type: 'object',
      description: 'XML prefix to URI, for prefixes used in paths (docs/reference/paths.md).',
      additionalProperties: { type: 'string' },
    },
    ignore: list('Paths below the record that are left out without a word; * for all unknown ones.'),
  },
  ['format'],
)

export const MESSAGE_ID = object(
  'Identity of a message, for duplicates of the producer.',
  {
    from: { enum: ['key', 'header', 'none'], description: 'Default key.' },
    header: text('Name of the header.'),
  },
  ['from'],
)
