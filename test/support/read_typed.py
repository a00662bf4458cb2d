"""Reads a table or Parquet files with deltalake and pyarrow, and compares every value and every reject with what must be there.

`at` is the record's place in its file, and `lines` whether a reason names the line. Takes the path of a JSON file: {"table": folder} or {"files": [...], "rejected": [...]}, with "values": {column: [[n, value], ...]},
"accepted": [n, ...] and "rejects": [{n, file, at, line, lines, path, rule, text}, ...]. Prints {"differences", "cells", "rejects"}.
Values are in the form of type_model.py; a sub-field without a value is left out of its object.
"""
import datetime
import decimal
import json
import os
import struct
import sys
import uuid

import pyarrow
import pyarrow.compute as pc
import pyarrow.parquet as pq

EXACT = decimal.Context(prec=2000)


def canonical(value):
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return struct.pack(">d", value).hex()
    if isinstance(value, decimal.Decimal):
        return "0" if value == 0 else format(value.normalize(EXACT), "f")
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, bytes):
        return str(uuid.UUID(bytes=value))
    if isinstance(value, list):
        return [canonical(item) for item in value]
    if isinstance(value, dict):
        return {name: canonical(item) for name, item in value.items() if item is not None}
    raise ValueError(repr(value))


def by_key(table, name):
    """The values of a column by the key of their record; what is null is left out."""
    column = table[name]
    some = pc.is_valid(column)
    return dict(zip(table["n"].filter(some).to_pylist(), map(canonical, column.filter(some).to_pylist())))


def read_table(folder, names, rejects):
    import deltalake

    found = deltalake.DeltaTable(folder)
    if not rejects:
        return found.to_pyarrow_table(columns=["n", *names]), None
    beside = ["outcome", "message_key", "ordinal", "reject_kind", "reject_rule", "reject_path", "reject_value", "reject_reason"]
    table = found.to_pyarrow_table(columns=["n", *beside, *names])
    return table.filter(pc.equal(table["outcome"], "accepted")), table.filter(pc.equal(table["outcome"], "quarantined")).select(beside).to_pylist()


def read_files(files, rejected):
    table = pyarrow.concat_tables([pq.read_table(file) for file in files])
    return table, [row for file in rejected for row in pq.read_table(file).to_pylist()]


def compare_values(table, asked, differences):
    cells = 0
    keys = table["n"].to_pylist()
    if sorted(keys) != sorted(asked["accepted"]):
        lost, foreign = set(asked["accepted"]) - set(keys), set(keys) - set(asked["accepted"])
        differences += [{"column": "n", "lost": len(lost), "foreign": len(foreign), "rows": len(keys)}]
        differences += [{"column": "n", "n": n, "lost": True} for n in list(lost)[:5]] + [{"column": "n", "n": n, "foreign": True} for n in list(foreign)[:5]]
    for name in asked["names"]:
        found, wanted = by_key(table, name), dict(asked["values"].get(name, []))
        cells += len(wanted)
        for n in wanted.keys() | found.keys():
            if wanted.get(n) != found.get(n):
                differences.append({"column": name, "n": n, "wanted": wanted.get(n), "found": found.get(n)})
    return cells


def compare_rejects(asked, found, place, verdict, differences):
    """`place` is where a reject says it comes from; `verdict` is True where it is as wanted, else its row."""
    rows = {place(row): row for row in found}
    if len(rows) != len(found) or len(found) != len(asked["rejects"]):
        differences.append({"column": "rejects", "wanted": len(asked["rejects"]), "found": len(found), "places": len(rows)})
    for wanted in asked["rejects"]:
        row = rows.get((wanted["file"], wanted["at"]))
        answer = None if row is None else verdict(row, wanted)
        if answer is not True:
            differences.append({"column": wanted["path"].split("[")[0], "n": wanted["n"], "wanted": wanted, "found": answer})


def value_is(text, quoted):
    """At most 256 bytes of a text are quoted, and blanks around it are not always."""
    return quoted is not None and (quoted == text or quoted.strip() == text.strip() or (len(quoted) > 200 and text.strip().startswith(quoted.strip())))


def table_verdict(row, wanted):
    line = f" (line {wanted['line']})" if wanted["lines"] else ""
    as_wanted = (
        row["reject_kind"] == "record" and row["reject_rule"] == wanted["rule"] and row["reject_path"].replace(".", "/") == wanted["path"]
        and value_is(wanted["text"], row["reject_value"]) and row["reject_reason"].endswith(line)
    )
    return as_wanted or row


def file_verdict(row, wanted):
    named = row["column_name"].replace(".", "/")
    as_wanted = row["rule"] == wanted["rule"] and named == wanted["path"] and value_is(wanted["text"], row["value"])
    return as_wanted or row


asked = json.load(open(sys.argv[1]))
differences = []
if "table" in asked:
    table, found = read_table(asked["table"], asked["names"], asked["rejects"] is not None)
    place, verdict = lambda row: (row["message_key"], row["ordinal"]), table_verdict
else:
    table, found = read_files(asked["files"], asked["rejected"])
    place, verdict = lambda row: (os.path.basename(row["file_path"]), row["line"]), file_verdict
cells = compare_values(table, asked, differences)
if asked["rejects"] is not None:
    compare_rejects(asked, found, place, verdict, differences)
shown = json.dumps({"differences": differences[:20], "count": len(differences), "cells": cells, "rejects": len(found or [])}, default=repr)
sys.stdout.write(shown)
sys.stdout.flush()
# deltalake aborts at times while it is cleaned up.
os._exit(0)
