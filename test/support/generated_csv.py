"""Records of CSV under the rules of docs/reference/files.md: where each begins and ends, stray quotes among them,
and Python's csv for what stands in them."""
import csv
import io
import re

csv.field_size_limit(1 << 30)
LINE_END = re.compile("\r\n|\r|\n")


class Whole(Exception):
    """The file is rejected as a whole."""


class Csv:
    def __init__(self, text, record):
        self.text, self.delimiter, self.quote = text, record.get("delimiter", ","), record.get("quote", '"')
        self.ends = self.delimiter + "\r\n"
        self.width = None

    def line_end(self, at):
        """Where the line that goes on at `at` ends, and where the next one begins."""
        found = LINE_END.search(self.text, at)
        return (found.start(), found.end()) if found else (len(self.text), len(self.text))

    def scan(self, at):
        """A record by the letter: (end, next, count of fields, spans of quoted fields, stray quote)."""
        text, count, spans = self.text, 0, []
        while True:
            if self.quote and text.startswith(self.quote, at):
                opened, at = at, at + 1
                while at < len(text) and (text[at] != self.quote or text.startswith(self.quote, at + 1)):
                    at += 2 if text[at] == self.quote else 1
                if at >= len(text) or not (at + 1 == len(text) or text[at + 1] in self.ends):
                    return at, at, count, spans, opened
                spans.append((opened + 1, at))
                at += 1
            else:
                while at < len(text) and text[at] not in self.ends:
                    at += 1
            count += 1
            if at >= len(text) or text[at] in "\r\n":
                return at, self.line_end(at)[1], count, spans, None
            at += 1

    def lines_behind(self, start, end):
        """Lines that begin behind the first one of [start, end)."""
        at = self.line_end(start)[1]
        while at < end:
            stop, after = self.line_end(at)
            yield at, min(stop, end)
            at = after

    def fits(self, start, end):
        """Whether a line is a record by itself: each quote in it is that of a quoted field."""
        line = Csv(self.text[start:end], {"delimiter": self.delimiter, "quote": self.quote})
        _, _, count, spans, stray = line.scan(0)
        if start == end or stray is not None or count != self.width:
            return False
        outside, at = "", 0
        for opened, closed in spans:
            outside, at = outside + line.text[at:opened - 1], closed + 1
        return self.quote not in outside + line.text[at:]

    def holds_fitting_line(self, start, end):
        return any(self.fits(*line) for line in self.lines_behind(start, end))

    def swallows(self, spans):
        """Rule 4: two stray quotes far apart."""
        counts = []
        for start, end in spans:
            begins = [start] + [found.end() for found in LINE_END.finditer(self.text, start, end)]
            whole = zip(begins[1:], begins[2:])
            counts += [self.text.count(self.delimiter, begin, behind) for begin, behind in whole]
        return len(counts) > 1 and all(count == self.width - 1 for count in counts) and sum(counts) >= 64

    def stray_of(self, at, end, count, spans):
        """The stray quote of a record that ends by the letter."""
        crossing = next((start - 1 for start, stop in spans if LINE_END.search(self.text, start, stop)), None)
        if crossing is None or self.width is None:
            return None
        is_stray = self.swallows(spans) if count == self.width else self.holds_fitting_line(at, end)
        return crossing if is_stray else None

    def records(self):
        """(line, start, end, reason or None) of each record. The first one says how many fields there are."""
        at, line, counted = 0, 1, 0
        while at < len(self.text):
            if self.text[at] in "\r\n":
                at = self.line_end(at)[1]
                continue
            end, after, count, spans, stray = self.scan(at)
            reason = None if self.width in (None, count) else "width"
            if stray is not None:
                end = self.line_end(stray)[0]
                before = self.stray_of(at, end, -1, spans)
                stray = stray if before is None else before
            else:
                stray = self.stray_of(at, end, count, spans)
            if stray is not None:
                reason, (end, after) = "stray", self.line_end(stray)
            if any("\ud800" <= char <= "\udfff" for char in self.text[at:end]):
                reason = "bytes"
            line, counted = line + len(LINE_END.findall(self.text, counted, at)), at
            if self.width is None and reason is None:
                self.width = count
            yield line, at, end, reason
            at = after

    def fields(self, start, end):
        return self.rows(self.text[start:end])[0]

    def rows(self, text):
        options = dict(quotechar=self.quote) if self.quote else dict(quoting=csv.QUOTE_NONE)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter, strict=True, **options)
        return [row for row in reader if row]

    def compare(self, records):
        """Where nothing is stray, Python reads the file as one piece into the same records."""
        if any(reason in ("stray", "bytes") for *_, reason in records):
            return
        if [self.fields(start, end) for _, start, end, _ in records] != self.rows(self.text):
            raise AssertionError("the model of records differs from csv")


def addresses_of(names):
    """Names, and places for those that are missing or stand there twice."""
    counts, found = {}, []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    for i, name in enumerate(names):
        address = name
        if name == "" or counts[name] > 1:
            address = f"#{i + 1}"
            while address in counts:
                address = "#" + address
        found.append(address)
    return found


def fields_of_columns(paths, names):
    """The fields' addresses, and the field of each column. A name may stand twice if all but one are declared."""
    addresses = addresses_of(names)
    places = {address: i for i, address in enumerate(addresses) if address != names[i]}
    taken = {places[path] for path in paths if path in places}
    found = []
    for path in paths:
        if path in places:
            found.append(places[path])
            continue
        all_of = [i for i, name in enumerate(names) if name == path]
        free = [i for i in all_of if i not in taken] if len(all_of) > 1 else all_of
        if len(free) > 1 or (all_of and not free):
            raise Whole("a name that stands twice")
        found.append(free[0] if free else None)
    return addresses, found
