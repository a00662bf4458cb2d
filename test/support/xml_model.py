"""What lxml finds in documents, under the rules of docs/reference/paths.md. Reads cases as JSON lines, answers in JSON lines."""
import json
import re
import sys

from lxml import etree

STEP = re.compile(r"(@?)(?:\{((?:[^{}]|\{\{|\}\})*)\}([^/@{}:\s]+)|(?:([^/@{}:\s]+):)?([^/@{}:\s]+))(?:/|$)")
TECHNICAL = ("http://www.w3.org/2001/XMLSchema-instance", "http://www.w3.org/XML/1998/namespace")
PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=False)


def steps_of(path, bound):
    """[(is attribute, local name, uri or None)]"""
    found, at = [], 1 if path.startswith("/") else 0
    while at < len(path):
        sign, uri, in_braces, prefix, local = (match := STEP.match(path, at)).groups()
        if prefix is not None:
            uri = bound[prefix]
        elif uri is not None:
            uri = uri.replace("{{", "{").replace("}}", "}")
        found.append((sign == "@", in_braces or local, uri))
        at = match.end()
    return found


class Node:
    """A declared element: `wants` are the columns of its text, `attributes` those of its attributes."""

    def __init__(self):
        self.children, self.attributes, self.wants = {}, {}, []
        self.array, self.ignored = None, False

    def below(self, steps):
        node = self
        for _, local, uri in steps:
            node = node.children.setdefault((local, uri), Node())
        return node

    def add(self, steps, want):
        if steps and steps[-1][0]:
            self.below(steps[:-1]).attributes.setdefault(steps[-1][1:], want)
        else:
            self.below(steps).wants.append(want)


def taken(names, known, own):
    """Which of the names (uri, local) of one parent belongs to which declared step: first the exact, then one namespace for a plain one."""
    result, plain = {}, {}
    for index, (uri, local) in enumerate(names):
        if (local, uri) in known:
            result[index] = (local, uri)
        elif (local, None) in known:
            plain.setdefault(local, []).append((index, uri))
    for local, candidates in plain.items():
        uris = [uri for _, uri in candidates]
        best = "" if "" in uris else own if own in uris else uris[0]
        result.update({index: (local, None) for index, uri in candidates if uri == best})
    return result


def name_of(tag):
    name = etree.QName(tag)
    return (name.namespace or "", name.localname)


def own_text(element):
    return (element.text or "") + "".join(child.tail or "" for child in element)


class Record:
    def __init__(self, case, envelope):
        self.case, self.cells, self.issues = case, dict(envelope), []
        # Sub-fields that are arrays themselves.
        self.lists = {
            (column, sub["name"])
            for column, field in enumerate(case["fields"])
            for sub in field.get("array", {}).get("fields", [])
            if "array" in sub
        }

    def store(self, want, value, items):
        column, field = want
        if column < 0:
            return
        if field is not None:
            if (item := items.get(column)) is None:
                return
            if want in self.lists:
                item.setdefault(field, []).append(value)
            elif field in item:
                self.issues.append(["repeated", value.strip(" \t\r\n")])
            else:
                item[field] = value
        elif "array" in self.case["fields"][column]:
            self.cells.setdefault(column, []).append(value)
        elif column in self.cells:
            self.issues.append(["repeated", value.strip(" \t\r\n")])
        else:
            self.cells[column] = value

    def unexpected(self, value):
        if "*" not in self.case["ignore"]:
            self.issues.append(["unexpected", value.strip(" \t\r\n")])

    def walk(self, element, node, items, ignored):
        names = [name_of(name) for name in element.attrib]
        own = name_of(element.tag)[0]
        mine = taken(names, node.attributes if node else {}, own)
        for index, value in enumerate(element.attrib.values()):
            if index in mine:
                self.store(node.attributes[mine[index]], value, items)
            elif not ignored and names[index][0] not in TECHNICAL:
                self.unexpected(value)
        children = [child for child in element if isinstance(child.tag, str)]
        mine = taken([name_of(child.tag) for child in children], node.children if node else {}, own)
        for index, child in enumerate(children):
            self.visit(child, node.children[mine[index]] if index in mine else None, items, ignored)
        text = own_text(element)
        for want in node.wants if node else []:
            self.store(want, text, items)
        if ignored or (node and node.wants):
            return
        if text.strip(" \t\r\n") != "" or (node is None and not children):
            self.unexpected(text)

    def visit(self, element, node, items, ignored):
        if node is None and ignored:
            return
        if node is not None and node.array is not None:
            item = {}
            self.walk(element, node, {**items, node.array: item}, ignored or node.ignored)
            self.cells.setdefault(node.array, []).append(item)
        else:
            self.walk(element, node, items, ignored or (node is not None and node.ignored))


def around(element, node, records=None):
    """Values around the records: of an element that they stand in, or of one beside them."""
    own = name_of(element.tag)[0]
    names = [name_of(name) for name in element.attrib]
    for index, step in taken(names, node.attributes, own).items():
        yield node.attributes[step][0], list(element.attrib.values())[index]
    children = [child for child in element if isinstance(child.tag, str) and name_of(child.tag)[1] != records]
    for index, step in taken([name_of(child.tag) for child in children], node.children, own).items():
        yield from around(children[index], node.children[step])
    for column, _ in node.wants:
        yield column, own_text(element)


def read(case):
    try:
        root = etree.fromstring(case["document"].encode(), PARSER)
    except etree.XMLSyntaxError as error:
        return {"fault": str(error)}
    return read_root(root, case["spec"]) if "spec" in case else {}


def read_root(root, spec):
    record, document = Node(), Node()
    for column, field in enumerate(spec["fields"]):
        steps = steps_of(field["path"], spec["namespaces"])
        if field["path"].startswith("/"):
            document.add(steps[1:], (column, None))
        elif "fields" in field.get("array", {}):
            node = record.below(steps)
            node.array = column
            for sub in field["array"]["fields"]:
                node.add(steps_of(sub["path"], spec["namespaces"]), (column, sub["name"]))
        else:
            record.add(steps, (column, None))
    for path in spec["ignore"]:
        if path != "*":
            steps = steps_of(path, spec["namespaces"])
            if steps[-1][0]:
                record.add(steps, (-1, None))
            else:
                record.below(steps).ignored = True
    ancestors = {}
    for column, value in around(root, document, "r"):
        if column in ancestors:
            return {"fault": f"{spec['fields'][column]['path']} twice around the records"}
        ancestors[column] = value
    rows = []
    for child in root.xpath("*[local-name() = 'r']"):
        walked = Record(spec, ancestors)
        walked.walk(child, record, {}, False)
        cells = [walked.cells.get(column) for column in range(len(spec["fields"]))]
        rows.append({"cells": cells, "issues": sorted(walked.issues)})
    return {"rows": rows}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(read(json.loads(line))))
