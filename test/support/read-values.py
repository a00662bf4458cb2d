"""Reads one Parquet file with one library and compares every value with what the database says of it as text.

Takes JSON on standard input: {"reader", "file", "columns": [[name, kind, [text or null, ...]], ...]}. Prints the differences as JSON.
"""
import datetime
import decimal
import json
import struct
import sys

decimal.getcontext().prec = 200
asked = json.load(sys.stdin)


def rows_of(reader, file):
    if reader == "polars":
        import polars

        table = polars.read_parquet(file)
        return table.columns, lambda column: table[column].to_list()
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(file)
    return table.column_names, lambda column: table[column].to_pylist()


def moment(text):
    return datetime.datetime.fromisoformat(text)


def same(kind, text, value):
    if text is None or value is None:
        return text is value
    if kind == "text":
        return value == text
    if kind == "bytes":
        return value.hex() == text.removeprefix("\\x")
    if kind == "boolean":
        return value is (text in ("t", "1"))
    if kind == "integer":
        return isinstance(value, int) and value == int(text)
    if kind == "decimal":
        # As many digits behind the point as the database shows: 1.50 is not 1.5.
        return isinstance(value, decimal.Decimal) and value == decimal.Decimal(text) and format(value, "f") == format(decimal.Decimal(text), "f")
    if kind == "real":
        return struct.pack("f", value) == struct.pack("f", float(text))
    if kind == "double":
        return struct.pack("d", value) == struct.pack("d", float(text))
    if kind == "date":
        return value == datetime.date.fromisoformat(text)
    if kind == "timestamp":
        return value.tzinfo is None and value == moment(text)
    if kind == "timestamptz":
        return value.tzinfo is not None and value == moment(text)
    raise ValueError(kind)


names, values_of = rows_of(asked["reader"], asked["file"])
differences = []
if names != [name for name, _, _ in asked["columns"]]:
    differences.append(["names", names])
for name, kind, texts in asked["columns"]:
    values = values_of(name)
    if len(values) != len(texts):
        differences.append([name, "rows", len(texts), len(values)])
    for text, value in zip(texts, values):
        if not same(kind, text, value):
            differences.append([name, kind, text, repr(value)])
json.dump(differences[:50], sys.stdout)
