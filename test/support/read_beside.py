"""Reads files by Python's own csv, json and xml.etree, and compares each cell with what the tables have.

Standard input: a JSON list of {name, file, declaration, raw, processed}. Standard output: a JSON list of {name, rows, cells,
quarantined, broken, problems}. Nothing here comes from Headrace: the paths of columns are read by their documented grammar.
"""
import csv, datetime, decimal, json, os, re, sys
import xml.etree.ElementTree as ET

import deltalake

csv.field_size_limit(1 << 27)


class Num(str):
    """A number of JSON by its digits."""


def load_json(text):
    return json.loads(text, parse_float=Num, parse_int=Num)


def trimmed(text):
    return text.strip("".join(map(chr, range(33))))


def json_steps(path):
    root = re.match(r"\$(?=[./\[]|$)", path)
    rest, steps = (path[1:] if root else path), []
    for plain, quoted in re.findall(r'([^./\[\]]+)|\[("(?:[^"\\]|\\.)*")\]', rest):
        steps.append(json.loads(quoted) if quoted else plain)
    return bool(root), steps


def json_at(value, steps):
    for step in steps:
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    return value


def json_text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else value


def same_json(left, right):
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(same_json(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same_json, left, right))
    return type(left) == type(right) and left == right


STRPTIME = [("yyyy", "%Y"), ("MM", "%m"), ("dd", "%d"), ("HH", "%H"), ("mm", "%M"), ("ss", "%S"), ("M", "%m"), ("d", "%d")]


def moment(text, column):
    form = column.get("format", "iso")
    if form == "iso":
        found = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    else:
        pattern = re.sub("yyyy|MM|dd|HH|mm|ss|M|d", lambda m: dict(STRPTIME)[m[0]], form.replace("'", ""))
        found = datetime.datetime.strptime(text, pattern)
    return found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)


def same_cell(column, text, loaded):
    """Whether a loaded value says what the source says; `text` is None where the source has nothing."""
    kind = column.get("type", "string")
    if isinstance(text, (dict, list)):
        return isinstance(loaded, str) and same_json(load_json(loaded), text)
    if text is not None and column.get("trim", True):
        text = trimmed(text)
    if text is None or text in column.get("nulls", [""]):
        return loaded is None
    if loaded is None:
        return False
    if kind in ("string", "uuid"):
        return loaded == text
    if kind in ("integer", "long"):
        return isinstance(loaded, int) and loaded == int(text)
    if kind == "decimal":
        return decimal.Decimal(loaded) == decimal.Decimal(text)
    if kind == "double":
        return decimal.Decimal(repr(loaded)) == decimal.Decimal(text)
    if kind == "boolean":
        return loaded is (text.lower() == "true")
    if kind == "date":
        return loaded == moment(text, column).date()
    return loaded == moment(text, column)


def same_value(column, value, loaded):
    if not column.get("array"):
        return same_cell(column, value, loaded)
    if value is None:
        return loaded is None
    if loaded is None or len(loaded) != len(value):
        return False
    if "fields" not in column:
        return all(same_cell(column, item, loaded_item) for item, loaded_item in zip(value, loaded))
    return all(same_cell(field, item.get(field["name"]), loaded_item[field["name"]]) for item, loaded_item in zip(value, loaded) for field in column["fields"])


def read_csv(path, declaration):
    record = declaration["record"]
    quote = record.get("quote", '"')
    options = dict(delimiter=record.get("delimiter", ","), doublequote=True, strict=False)
    options.update(dict(quotechar=quote) if quote else dict(quoting=csv.QUOTE_NONE))
    with open(path, encoding=record.get("encoding", "utf-8-sig"), newline="") as file:
        lines = [line for line in csv.reader(file, **options) if line]
    header = lines.pop(0) if record.get("header", True) else [str(i + 1) for i in range(len(lines[0]))]
    rows = [line for line in lines if len(line) == len(header)]
    declared = {column.get("path", column["name"]) for column in declaration["columns"]}
    for i, name in enumerate(header):
        if name not in declared and any(row[i] != "" for row in rows):
            yield "lost", f"column {name!r} of the header"
    yield "broken", len(lines) - len(rows)
    for row in rows:
        cells = dict(zip(header, row))
        yield "row", [cells[column.get("path", column["name"])] for column in declaration["columns"]]


def json_records(path, declaration):
    record = declaration["record"]
    with open(path, encoding="utf-8-sig") as file:
        if record["format"] == "ndjson":
            yield from ((item, item) for item in (load_json(line) for line in file if line.strip()))
            return
        document = load_json(file.read())
    each = record["path"].endswith("[*]")
    found = json_at(document, json_steps(record["path"].removesuffix("[*]"))[1])
    yield from ((document, item) for item in (found if each else [found]))


def leaves(value, at=()):
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, at + (key,))
    elif value is not None and value != {}:
        yield at


def json_value(column, value):
    if not column.get("array"):
        return json_text(value)
    if value is None:
        return None
    if "fields" not in column:
        return [json_text(item) for item in value]
    return [{f["name"]: json_text(json_at(item, json_steps(f.get("path", f["name"]))[1])) for f in column["fields"]} for item in value]


def read_json(path, declaration):
    columns = [(column, *json_steps(column.get("path", column["name"]))) for column in declaration["columns"]]
    declared = {tuple(steps) for _, root, steps in columns if not root}
    lost = set()
    for document, record in json_records(path, declaration):
        for leaf in leaves(record):
            if not any(leaf[:n] in declared for n in range(1, len(leaf) + 1)):
                lost.add(leaf)
        for column, _, steps in columns:
            if "fields" in column:
                subs = {json_steps(f.get("path", f["name"]))[1][0] for f in column["fields"]}
                lost |= {(*steps, key) for item in json_at(record, steps) or [] for key in item if key not in subs}
        yield "row", [json_value(column, json_at(document if root else record, steps)) for column, root, steps in columns]
    for lost_path in lost:
        yield "lost", f"value at {lost_path}"


def xml_name(step, namespaces):
    """A test of names: exact with a namespace, any without."""
    prefixed = re.match(r"\{([^{}]*)\}(.+)$|(?:([^:{}]+):)?(.+)$", step)
    uri, local = prefixed[1], prefixed[2] or prefixed[4]
    if prefixed[3]:
        uri = "http://www.w3.org/XML/1998/namespace" if prefixed[3] == "xml" else namespaces[prefixed[3]]

    def fits(tag):
        own = tag[1:].split("}") if tag.startswith("{") else ["", tag]
        return own[1] == local and (uri is None or own[0] == uri)
    return fits


def xml_text(element):
    return (element.text or "") + "".join(child.tail or "" for child in element)


class XmlReader:
    def __init__(self, namespaces):
        self.namespaces, self.read = namespaces, set()

    def elements(self, element, steps):
        found = [element]
        for step in steps:
            fits = xml_name(step, self.namespaces)
            found = [child for parent in found for child in parent if isinstance(child.tag, str) and fits(child.tag)]
        return found

    def scalar(self, element, path):
        steps = [step for step in path.split("/") if step != "."]
        last = steps.pop()[1:] if steps and steps[-1].startswith("@") else None
        for node in self.elements(element, steps):
            if last is None:
                self.read.add((id(node), None))
                text = xml_text(node)
                return None if len(node) and not text.strip() else text
            for name, value in node.attrib.items():
                if xml_name(last, self.namespaces)(name):
                    self.read.add((id(node), name))
                    return value
        return None

    def value(self, element, column):
        path = column.get("path", column["name"])
        if not column.get("array"):
            return self.scalar(element, path)
        found = self.elements(element, path.split("/"))
        if not found:
            return None
        if "fields" not in column:
            return [self.scalar(node, ".") for node in found]
        return [{f["name"]: self.scalar(node, f.get("path", f["name"])) for f in column["fields"]} for node in found]

    def ignore(self, element, path):
        for node in self.elements(element, path.split("/")):
            for inner in node.iter():
                self.read |= {(id(inner), None)} | {(id(inner), name) for name in inner.attrib}

    def unread(self, element):
        for node in element.iter():
            if isinstance(node.tag, str) and xml_text(node).strip() and (id(node), None) not in self.read:
                yield f"text of {node.tag}"
            for name in node.attrib if isinstance(node.tag, str) else ():
                if (id(node), name) not in self.read:
                    yield f"attribute {name} of {node.tag}"


def read_xml(path, declaration):
    record = declaration["record"]
    reader = XmlReader(record.get("namespaces", {}))
    root = ET.parse(path).getroot()
    first, *steps = record["path"].strip("/").split("/")
    lost = set()
    for element in reader.elements(root, steps):
        row = [reader.value(element, column) for column in declaration["columns"]]
        for ignored in record.get("ignore", []):
            reader.ignore(element, ignored)
        lost |= set(reader.unread(element))
        yield "row", row
    for finding in lost:
        yield "lost", finding


READERS = {"csv": read_csv, "json": read_json, "ndjson": read_json, "xml": read_xml}


def judge(job):
    declaration, problems, rows, broken = job["declaration"], [], [], 0
    for kind, what in READERS[declaration["record"]["format"]](job["file"], declaration):
        if kind == "row":
            rows.append(what)
        elif kind == "broken":
            broken = what
        else:
            problems.append(f"lost: {what}")
    names = [column["name"] for column in declaration["columns"]]
    table = deltalake.DeltaTable(job["raw"]).to_pyarrow_table()
    table = table.sort_by([("ordinal", "ascending")]).to_pydict()
    kept = [i for i, outcome in enumerate(table["outcome"]) if outcome == "accepted"]
    loaded = [[table[name][i] for name in names] for i in kept]
    if len(loaded) != len(rows):
        problems.append(f"{len(loaded)} rows where the file has {len(rows)}")
    is_csv = declaration["record"]["format"] == "csv"
    for number, (row, found) in enumerate(zip(rows, loaded)):
        for column, value, loaded_cell in zip(declaration["columns"], row, found):
            # Python's csv does not tell an empty field from an empty quoted one.
            if not same_value(column, value, loaded_cell) and not (is_csv and value == "" and loaded_cell is None):
                problems.append(f"row {number} {column['name']}: {value!r} is {loaded_cell!r}")
    if job["processed"]:
        published = deltalake.DeltaTable(job["processed"]).to_pyarrow_table().to_pydict()
        published = [[published[name][i] for name in names] for i in range(len(published[names[0]]))]
        if sorted(map(repr, published)) != sorted(map(repr, loaded)):
            problems.append(f"{len(published)} published rows are not the {len(loaded)} rows of RAW")
    rejects = [f"{table['reject_rule'][i]} {table['reject_path'][i]}: {table['reject_reason'][i]}" for i, o in enumerate(table["outcome"]) if o != "accepted"]
    return dict(name=job["name"], rows=len(rows), cells=len(rows) * len(names), broken=broken, rejects=rejects, problems=problems[:5])


print(json.dumps([judge(job) for job in json.load(sys.stdin)]))
sys.stdout.flush()
os._exit(0)
