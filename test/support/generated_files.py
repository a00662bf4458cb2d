"""What docs/reference/files.md, paths.md and types.md make of a file and a declaration, by Python's own csv and
json, and lxml.

Standard input: a JSON list of {name, file, record, columns, drift, byColumns}. Standard output: for each a JSON
line {name, stream, job}; both are {rows, rejects} or {whole: reason}. A reject is {line, cells}: cells are what
it may name.
"""
import gzip
import io
import json
import re
import sys

import pyarrow
from lxml import etree

from generated_csv import Csv, Whole, addresses_of, fields_of_columns
from type_model import judge
from xml_model import PARSER, read_root

CODECS = {"shift_jis": "cp932", "euc-kr": "cp949", "windows-1252": "cp1252", "windows-1251": "cp1251"}
MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
LINE_END = re.compile("\r\n|\r|\n")


def unpacked(data):
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data)
    if data[:4] == b"\x28\xb5\x2f\xfd":
        return pyarrow.CompressedInputStream(io.BytesIO(data), "zstd").read()
    return data


def text_of(data, record):
    """Bytes that are no UTF-8 stay as surrogates: they cost their record."""
    label = record.get("encoding", "utf-8")
    for mark, name in MARKS:
        if data.startswith(mark):
            data, label = data[len(mark):], name
            break
    try:
        errors = "surrogateescape" if label == "utf-8" else "strict"
        return data.decode(CODECS.get(label, label), errors)
    except UnicodeDecodeError as error:
        raise Whole(str(error)) from None


def is_text(text):
    return not any("\ud800" <= char <= "\udfff" for char in text)


class Refused:
    """Stands for a value that is none of its column."""


class Row:
    """A record in the making: the values of its columns, and what is wrong with it."""

    def __init__(self, task, line):
        self.task, self.line, self.cells, self.wrong = task, line, [], []

    def add(self, column, value):
        """`value`: None, a text, a list of texts, or a list of dictionaries of texts."""
        self.cells.append(self.judged(column, value))

    def judged(self, column, value):
        where = {"path": column["path"], "name": column["name"]}
        if value is Refused:
            found = {"verdict": "refused"}
        elif isinstance(value, list):
            return [item_of(column, item) for item in value]
        else:
            found = {"verdict": "null"} if value is None else judge({"type": "string", **column}, value)
        is_strict = self.task["drift"] == "freeze" or column.get("required")
        verdict = found["verdict"]
        if (verdict == "refused" and is_strict) or (verdict != "value" and column.get("required")):
            self.wrong.append(where)
        return found.get("value")

    def odd(self, cell):
        """A field that is not declared, or comes twice."""
        if self.task["drift"] == "freeze":
            self.wrong.append(cell)


def item_of(column, item):
    if "fields" in column:
        return {field["name"]: item_of({}, item.get(field["name"])) for field in column["fields"]}
    if isinstance(item, list):
        return [item_of({}, value) for value in item]
    return None if item is None else judge({"type": "string"}, item).get("value")


def outcome(rows):
    """Of rows, and of lines that are none: (line, reason)."""
    good = [row.cells for row in rows if isinstance(row, Row) and not row.wrong]
    bad = []
    for row in rows:
        if not isinstance(row, Row):
            bad.append({"line": row[0], "cells": None})
        elif row.wrong:
            bad.append({"line": row.line, "cells": row.wrong})
    return {"rows": good, "rejects": bad}


# CSV


def read_csv(task, data, is_job):
    record, columns = task["record"], task["columns"]
    source = Csv(text_of(data, record), record)
    has_header = record.get("header", True)
    records = list(source.records())
    source.compare(records)
    if not has_header and not records:
        return {"rows": [], "rejects": []}
    if not records or (has_header and records[0][3]):
        raise Whole("no header")
    width = source.width or 0
    if has_header:
        names = source.fields(*records.pop(0)[1:3])
        addresses, fields = fields_of_columns([column["path"] for column in columns], names)
    else:
        addresses = [str(i + 1) for i in range(width)]
        places = [int(column["path"]) - 1 for column in columns]
        fields = [place if place < width else None for place in places]
    required = [field for column, field in zip(columns, fields) if column.get("required")]
    if source.width and None in required:
        raise Whole("a required column is missing")
    unknown = [i for i in range(width) if i not in fields]
    left_out = set(record["ignore"])
    rows = []
    for line, start, end, reason in records:
        if reason:
            rows.append((line, reason))
            continue
        values, row = source.fields(start, end), Row(task, line)
        for column, field in zip(columns, fields):
            row.add(column, None if field is None else values[field])
        for i in unknown:
            if is_job:
                row.add({"path": addresses[i], "name": addresses[i]}, values[i])
            elif values[i] != "" and not {"*", addresses[i]} & left_out:
                row.odd({"path": addresses[i]})
        rows.append(row)
    called = (lambda i: addresses[i]) if has_header else (lambda i: f"column{i}")
    return {**outcome(rows), **({"more": free_names(columns, [called(i) for i in unknown])} if is_job else {})}


def free_names(columns, names):
    """Each unlike all others in small letters."""
    taken, found = {column["name"].lower() for column in columns}, []
    for name in names:
        numbers = (f"{name}_{n}" for n in range(2, 10_000))
        found.append(next(free for free in (name, *numbers) if free.lower() not in taken))
        taken.add(found[-1].lower())
    return found


# JSON

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")
BLANK = re.compile(r"[ \t\r\n]*")
NAMED = {"true": True, "false": False, "null": None}


class Value:
    """kind: object (a list of pairs), array, string (its characters), other (its text)."""

    def __init__(self, kind, value, start, raw):
        self.kind, self.value, self.start, self.raw = kind, value, start, raw

    def plain(self):
        if self.kind == "object":
            return [(key, member.plain()) for key, member in self.value]
        if self.kind == "array":
            return [item.plain() for item in self.value]
        return NAMED.get(self.value, self.value) if self.kind == "other" else self.value

    def text(self):
        return self.value if self.kind == "string" else self.raw

    def strings(self):
        if self.kind == "string":
            yield self.value
        elif self.kind == "object":
            for key, member in self.value:
                yield key
                yield from member.strings()
        elif self.kind == "array":
            for item in self.value:
                yield from item.strings()


def parse(text, at):
    """The value at `at` of a text that json has read, and where it ends."""
    start = at = BLANK.match(text, at).end()
    if text[at] == '"':
        value, at = json.decoder.scanstring(text, at + 1, True)
        return Value("string", value, start, text[start:at]), at
    if text[at] not in "{[":
        found = NUMBER.match(text, at)
        return Value("other", found[0], start, found[0]), found.end()
    is_object, items = text[at] == "{", []
    at = BLANK.match(text, at + 1).end()
    while text[at] not in "}]":
        if is_object:
            key, at = json.decoder.scanstring(text, at + 1, True)
            at = BLANK.match(text, at).end() + 1
        item, at = parse(text, at)
        items.append((key, item) if is_object else item)
        at = BLANK.match(text, at).end()
        if text[at] == ",":
            at = BLANK.match(text, at + 1).end()
    return Value("object" if is_object else "array", items, start, text[start:at + 1]), at + 1


def no_constant(name):
    raise ValueError(name)


def parsed(text):
    """What json takes, with where each value stands; ValueError for the rest."""
    as_written = dict(parse_int=str, parse_float=str, parse_constant=no_constant)
    plain = json.loads(text, object_pairs_hook=list, **as_written)
    value = parse(text, 0)[0]
    if value.plain() != plain:
        raise AssertionError("the model of values differs from json")
    if not is_text(text) or not all(map(is_text, value.strings())):
        raise ValueError("half of a pair")
    return value


def steps_of(path):
    from_root = re.match(r"\$(?=[./\[]|$)", path) is not None
    found = re.findall(r'([^./\[\]]+)|\[("(?:[^"\\]|\\.)*")\]', path[1:] if from_root else path)
    return from_root, tuple(json.loads(quoted) if quoted else plain for plain, quoted in found)


def first(value, steps):
    for step in steps:
        if value is None or value.kind != "object":
            return None
        value = next((member for key, member in value.value if key == step), None)
    return None if value is None or value.raw == "null" else value


def column_value(column, value):
    if value is None or not column.get("array"):
        return None if value is None else value.text()
    items = value.value if value.kind == "array" else [value]
    if "fields" not in column:
        return [None if item.raw == "null" else item.text() for item in items]
    if any(item.kind != "object" and item.raw != "null" for item in items):
        return Refused
    texts = []
    for item in items:
        found = {field["name"]: first(item, steps_of(field["path"])[1]) for field in column["fields"]}
        texts.append({name: None if value is None else value.text() for name, value in found.items()})
    return texts


def strangers(value, at, known, way):
    """(kind, steps) of what is not declared or comes twice. `known`: steps of columns; `way`: of objects around them."""
    seen = set()
    for key, member in value.value:
        here = (*at, key)
        if key in seen:
            yield "repeated", here
            continue
        seen.add(key)
        if here in known or member.raw == "null":
            continue
        if member.kind == "object" and (here in way or member.value):
            yield from strangers(member, here, known, way)
        else:
            yield "unknown", here


def json_row(task, value, line, root, leaves_out):
    if value.kind != "object":
        return line, "not an object"
    row, places = Row(task, line), [steps_of(column["path"]) for column in task["columns"]]
    for column, (from_root, steps) in zip(task["columns"], places):
        row.add(column, column_value(column, first(root if from_root else value, steps)))
    named = zip(task["columns"], places)
    known = {steps: column["name"] for column, (from_root, steps) in named if not from_root}
    way = {steps[:n] for steps in known for n in range(1, len(steps))}
    for kind, steps in strangers(value, (), known, way):
        if not leaves_out or (kind == "repeated" and (steps in known or steps in way)):
            row.odd({"steps": steps, "label": known.get(steps)})
    return row


def read_json(task, data, is_job):
    record = task["record"]
    text = text_of(data, record)
    leaves_out = "*" in record["ignore"] or (is_job and task["byColumns"])
    if record["format"] == "ndjson":
        return read_lines(task, text, leaves_out)
    try:
        root = parsed(text)
    except ValueError as error:
        raise Whole(str(error)) from None
    each = record["path"].endswith("[*]")
    place = first(root, steps_of(record["path"].removesuffix("[*]"))[1])
    if place is None or place.kind != ("array" if each else "object"):
        raise Whole("wrong root")
    records = place.value if each else [place]
    lines = [1 + len(LINE_END.findall(text, 0, value.start)) for value in records]
    return outcome([json_row(task, value, line, root, leaves_out) for value, line in zip(records, lines)])


def read_lines(task, text, leaves_out):
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip(" \t\r") == "":
            continue
        try:
            rows.append(json_row(task, parsed(line), number, None, leaves_out))
        except ValueError as error:
            rows.append((number, str(error)))
    return outcome(rows)


# XML


def read_xml(task, data, is_job):
    record = task["record"]
    try:
        root = etree.fromstring(data, PARSER)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Whole(str(error)) from None
    if any(isinstance(node, etree._Entity) for node in root.iter()):
        raise Whole("an entity")
    fields = []
    for column in task["columns"]:
        array = {"fields": column["fields"]} if "fields" in column else {}
        fields.append({"path": column["path"], **({"array": array} if column.get("array") else {})})
    spec = {"namespaces": record["namespaces"], "ignore": record["ignore"], "fields": fields}
    answer = read_root(root, spec)
    if "fault" in answer:
        raise Whole(answer["fault"])
    found = answer["rows"]
    # Several parsers count lines in several ways where a line ends with CR alone.
    lines = [element.sourceline for element in root.xpath("*[local-name() = 'r']")]
    rows = []
    for found_row, line in zip(found, lines):
        row = Row(task, line)
        for column, value in zip(task["columns"], found_row["cells"]):
            row.add(column, value)
        for _, value in found_row["issues"]:
            row.odd({"value": value})
        rows.append(row)
    return outcome(rows)


READERS = {"csv": read_csv, "json": read_json, "ndjson": read_json, "xml": read_xml}


def read(task, is_job):
    # A job that lists columns has no `drift`.
    effective = {**task, "drift": "freeze"} if is_job and task["byColumns"] else task
    with open(task["file"], "rb") as file:
        data = unpacked(file.read())
    try:
        return READERS[task["record"]["format"]](effective, data, is_job)
    except Whole as reason:
        return {"whole": str(reason)}


if __name__ == "__main__":
    sys.setrecursionlimit(10_000)
    for task in json.load(sys.stdin):
        print(json.dumps({"name": task["name"], "stream": read(task, False), "job": read(task, True)}))
