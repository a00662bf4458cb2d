/**
 * Every type of PostgreSQL and of MariaDB with its extreme values, and readers that compare what arrived with
 * what the database says.
 */
import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { PYTHON } from './system.ts'

/** How a reader of the file takes a value; `text`: as the database writes it. */
export type Kind =
  | 'text'
  | 'bytes'
  | 'boolean'
  | 'integer'
  | 'decimal'
  | 'real'
  | 'double'
  | 'date'
  | 'timestamp'
  | 'timestamptz'

export interface TypeCase {
  type: string
  kind: Kind
  /** As they stand in SQL; NULL comes besides. */
  values: string[]
}

const quoted = (...values: string[]): string[] => values.map((value) => `'${value}'`)
const of = (type: string, kind: Kind, ...values: string[]): TypeCase => ({ type, kind, values })
const TEXTS = [
  "''",
  "'NULL'",
  String.raw`E'\\N'`,
  String.raw`E'\x01'`,
  `'"'`,
  `'a,"b"'`,
  String.raw`E'\r\n'`,
  String.raw`E'\n'`,
  "'🙂 ä 漢'",
  "' x '",
  "'\"x'",
]
const DATES = quoted('0001-01-01', '9999-12-31', '1582-10-10', '1969-12-31', '2024-02-29')
const MOMENTS = quoted(
  '0001-01-01 00:00:00',
  '9999-12-31 23:59:59.999999',
  '1900-01-01 00:00:00.000001',
  '1969-12-31 23:59:59.999999',
  '2024-03-31 02:30:00',
)

/** What the tables below are made with. */
export const POSTGRES_TYPES = `
  CREATE TYPE mood AS ENUM ('ok', 'not, "ok"');
  CREATE TYPE pair AS (a int, "B" text);
  CREATE DOMAIN money_amount AS numeric(5,2);
  CREATE DOMAIN part_amount AS money_amount CHECK (VALUE > -1000);
  CREATE DOMAIN birthday AS date;
  CREATE DOMAIN word AS text;
`

export const POSTGRES: TypeCase[] = [
  of('smallint', 'integer', '-32768', '32767'),
  of('integer', 'integer', '-2147483648', '2147483647'),
  of('bigint', 'integer', '-9223372036854775808', '9223372036854775807', '9007199254740993'),
  of(
    'numeric(38,10)',
    'decimal',
    '9999999999999999999999999999.9999999999',
    '-9999999999999999999999999999.9999999999',
    '0.0000000001',
  ),
  of('numeric(38,0)', 'decimal', '99999999999999999999999999999999999999'),
  of('numeric(10,2)', 'decimal', '1.5', '-99999999.99', '0'),
  of('numeric(2,5)', 'decimal', '0.00012', '-0.00099'),
  of('numeric(3,-2)', 'decimal', '99900', '-100', '0'),
  of('numeric(30,-10)', 'text', '1234567890123456789012345678900000000000'),
  of('numeric(39,1)', 'text', '12345678901234567890123456789012345678.9'),
  of('numeric', 'text', '1e200', '-1e-200', "'NaN'", "'Infinity'", "'-Infinity'", '1.500'),
  of('real', 'real', '3.4028235e38', '-3.4028235e38', '1e-45', '0.1', '16777217', "'-0'"),
  of('double precision', 'double', '1.7976931348623157e308', '5e-324', '0.1', '123456789.12345678', "'-0'"),
  of('boolean', 'boolean', 'true', 'false'),
  of('date', 'date', ...DATES),
  of('timestamp', 'timestamp', ...MOMENTS),
  of('timestamp(3)', 'timestamp', "'2026-01-01 12:00:00.1239'"),
  of(
    'timestamptz',
    'timestamptz',
    "'0001-01-01 00:00:00+00'",
    "'9999-12-31 23:59:59.999999+00'",
    "'2026-03-29 02:30:00 Europe/Berlin'",
    "'2026-10-25 02:30:00+01'",
  ),
  of('time', 'text', ...quoted('00:00', '24:00', '23:59:59.999999')),
  of('timetz', 'text', ...quoted('24:00:00-15:59', '00:00+05:45')),
  of('interval', 'text', ...quoted('178000000 years', '-1 mon +3 days -04:05:06.789', '0')),
  of('text', 'text', ...TEXTS),
  of('varchar(10)', 'text', ...TEXTS),
  of('char(5)', 'text', "'ab'", "''", "'ä 🙂'"),
  of('"char"', 'text', "'a'", "''"),
  of('name', 'text', "'x y'"),
  of('bytea', 'bytes', String.raw`'\x'`, String.raw`'\x00ff220a2c5c'`),
  of('uuid', 'text', "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"),
  of('json', 'text', `'{"a" : 1.10, "a": 2}'`, "'null'", `'"x"'`),
  of('jsonb', 'text', `'{"b": 12345678901234567890123456789.10, "a": [1, null]}'`),
  of('int[]', 'text', "'{1,NULL,3}'", "'{}'", "'[0:1]={1,2}'"),
  of('text[]', 'text', `ARRAY['a,b', '"', NULL, 'NULL', '']`),
  of('numeric[]', 'text', "'{NaN,1.50}'"),
  of('mood', 'text', "'ok'", `'not, "ok"'`),
  of('pair', 'text', `ROW(1, 'x,"y"')::pair`, 'ROW(NULL, NULL)::pair'),
  of('part_amount', 'decimal', '999.99', '-1'),
  of('birthday', 'date', ...DATES),
  of('word', 'text', "'w'"),
  of('int4range', 'text', "'[1,5)'", "'empty'"),
  of('tstzrange', 'text', "'[2026-01-01 00:00+01,infinity)'"),
  of('int4multirange', 'text', "'{[1,2),[5,)}'"),
  of('money', 'text', "'-1234567.89'"),
  of('bit(3)', 'text', "B'101'"),
  of('bit varying', 'text', "B''", "B'0101010101'"),
  of('inet', 'text', "'::1/64'", "'10.0.0.1'"),
  of('cidr', 'text', "'10.0.0.0/8'"),
  of('macaddr8', 'text', "'08:00:2b:01:02:03:04:05'"),
  of('oid', 'text', '4294967295'),
  of('xid', 'text', "'4294967295'"),
  of('xid8', 'text', "'18446744073709551615'"),
  of('pg_lsn', 'text', "'FFFFFFFF/FFFFFFFF'"),
  of('tid', 'text', "'(1,2)'"),
  of('regclass', 'text', "'pg_class'"),
  of('tsvector', 'text', "'a fat cat:3A'"),
  of('jsonpath', 'text', "'$.a'"),
  of('point', 'text', "'(0.1,1e300)'"),
  of('polygon', 'text', "'((0,0),(1,1),(1,0))'"),
]

const BYTES = ["X''", "X'00ff220a'"]
const MARIA_TEXTS = [
  "''",
  "'NULL'",
  String.raw`'\\N'`,
  String.raw`'\0x'`,
  `'"'`,
  `'a,"b"'`,
  String.raw`'\r\n'`,
  String.raw`'\n'`,
  "'🙂 ä 漢'",
  "' x'",
]

export const MARIADB: TypeCase[] = [
  of('tinyint', 'integer', '-128', '127'),
  of('tinyint unsigned', 'integer', '255'),
  of('tinyint(1)', 'integer', '0', '1', '127'),
  of('smallint unsigned', 'integer', '65535'),
  of('mediumint', 'integer', '-8388608'),
  of('mediumint unsigned', 'integer', '16777215'),
  of('int', 'integer', '-2147483648', '2147483647'),
  of('int(9) unsigned zerofill', 'integer', '42', '4294967295'),
  of('bigint', 'integer', '-9223372036854775808', '9223372036854775807'),
  of('bigint unsigned', 'integer', '18446744073709551615', '9007199254740993'),
  of('decimal(38,10)', 'decimal', '9999999999999999999999999999.9999999999', '-0.0000000001'),
  of('decimal(10,2) unsigned zerofill', 'decimal', '1.5', '99999999.99'),
  of('decimal(65,30)', 'text', '12345678901234567890123456789012345.678901234567890123456789012345'),
  of('float', 'real', '3.4028234e38', '0.1', '16777217', '-1e-37'),
  of('double', 'double', '1.7976931348623157e308', '0.1', '2.2250738585072014e-308', '-0.5'),
  of('year', 'integer', '1901', '2155', '0'),
  of('date', 'date', ...quoted('0001-01-01', '9999-12-31', '1582-10-10', '2024-02-29')),
  of('datetime', 'timestamp', ...quoted('0001-01-01 00:00:00', '9999-12-31 23:59:59')),
  of(
    'datetime(6)',
    'timestamp',
    ...quoted('0001-01-01 00:00:00', '9999-12-31 23:59:59.999999', '2026-03-29 02:30:00.000001'),
  ),
  of(
    'timestamp(6) NULL',
    'timestamptz',
    ...quoted(
      '1970-01-01 00:00:01',
      '2038-01-19 03:14:07.999999',
      '2026-03-29 01:30:00',
      '2026-10-25 00:30:00',
      '2026-10-25 01:30:00',
    ),
  ),
  of('time(6)', 'text', ...quoted('-838:59:59', '838:59:59', '24:00:00', '23:59:59.999999')),
  of('char(5)', 'text', "'ab'", "''"),
  of('varchar(20)', 'text', ...MARIA_TEXTS),
  of('varchar(20) CHARACTER SET latin1', 'text', "'äöü €'"),
  of('varchar(20) COLLATE utf8mb4_bin', 'text', "'Ä🙂'"),
  of('text CHARACTER SET utf16', 'text', "'漢🙂'"),
  of('longtext', 'text', ...MARIA_TEXTS),
  of('binary(4)', 'bytes', "X'00ff220a'", "X'01'"),
  of('varbinary(9)', 'bytes', ...BYTES),
  of('longblob', 'bytes', ...BYTES),
  of('bit(1)', 'bytes', "b'1'", "b'0'"),
  of('bit(64)', 'bytes', "b'1111111111111111111111111111111111111111111111111111111111111111'", "b'1'"),
  of("enum('x', 'y,\"z')", 'text', "'x'", `'y,"z'`),
  of("set('a', 'b')", 'text', "'a,b'", "''"),
  of('json', 'text', `'{"a" : 1.10}'`),
  of('geometry', 'bytes', "ST_GeomFromText('POINT(1 2)')"),
  of('linestring', 'bytes', "ST_GeomFromText('LINESTRING(0 0,1 1)')"),
  of('multipolygon', 'bytes', "ST_GeomFromText('MULTIPOLYGON(((0 0,1 1,1 0,0 0)))')"),
  of('inet6', 'text', "'::1'"),
  of('uuid', 'text', "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
]

/** Rows of which each has a value of every type, the last none. */
export function rowsOfCases(cases: TypeCase[]): string[][] {
  const most = Math.max(...cases.map(({ values }) => values.length))
  const rows = Array.from({ length: most }, (_, i) => [
    String(i),
    ...cases.map(({ values }) => values[i % values.length]),
  ])
  return [...rows, [String(most), ...cases.map(() => 'NULL')]]
}

/** A column as a reader is asked for it: its name, how it is taken, what the database says row by row. */
export type Asked = [name: string, kind: Kind, texts: (string | null)[]]

/** What a reader found that is not what the database says. */
export async function differences(
  reader: 'pyarrow' | 'polars',
  file: string,
  columns: Asked[],
): Promise<unknown[]> {
  return new Promise((done, fail) => {
    const child = execFile(
      PYTHON,
      [resolve('test/support/read-values.py')],
      { maxBuffer: 1 << 26 },
      (error, out) => (error === null ? done(JSON.parse(out) as unknown[]) : fail(error)),
    )
    child.stdin?.end(JSON.stringify({ reader, file, columns }))
  })
}
