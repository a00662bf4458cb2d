"""The meaning of the types, read from docs/reference/types.md a second time, with Python's own numbers, dates and zones.

Reads a JSON list of {"column": {type, precision, scale, format, timezone, trim}, "text": "..."} and writes a list of
{"verdict": "value" | "null" | "refused", "value": canonical text}. Standard library only.
"""
import datetime
import decimal
import json
import re
import struct
import sys
import zoneinfo

BLANKS = "".join(chr(code) for code in range(33))
MICROSECOND = datetime.timedelta(microseconds=1)
FIRST = datetime.datetime(1, 1, 1)
EPOCH = (datetime.datetime(1970, 1, 1) - FIRST) // MICROSECOND
END = (datetime.datetime.max - FIRST) // MICROSECOND
EXACT = decimal.Context(prec=2000, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
EPOCHS = {"epoch_s": 0, "epoch_ms": 3, "epoch_us": 6, "epoch_ns": 9}
MONTHS = "January February March April May June July August September October November December".split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
NAMED = {"GMT": 0, "UTC": 0, "UT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}


class Refused(Exception):
    pass


def need(condition):
    if not condition:
        raise Refused()


def whole(text, bits):
    need(re.fullmatch("[+-]?[0-9]+", text))
    value = int(text)
    need(-(2 ** (bits - 1)) <= value < 2 ** (bits - 1))
    return str(value)


def plain_decimal(text, column):
    need(re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)", text))
    value = EXACT.create_decimal(text)
    scaled = value.scaleb(column["scale"], EXACT)
    need(scaled == scaled.to_integral_value(context=EXACT))
    need(abs(int(scaled)) < 10 ** column["precision"])
    if value == 0:
        return "0"
    return format(value.normalize(EXACT), "f")


def double(text):
    need(re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", text))
    value = float(text)
    need(value not in (float("inf"), float("-inf")))
    return struct.pack(">d", value + 0.0).hex()


def boolean(text):
    need(text.isascii())
    return {"true": "true", "1": "true", "false": "false", "0": "false"}.get(text.lower()) or need(False)


def uuid(text):
    need(re.fullmatch("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text))
    return text.lower()


def calendar_day(year, month, day):
    try:
        return datetime.date(year, month, day)
    except ValueError:
        raise Refused() from None


def offset_of(text):
    if text == "Z":
        return 0
    match = re.fullmatch("([+-])([0-9]{2})(?::?([0-9]{2}))?", text)
    hours, minutes = int(match[2]), int(match[3] or 0)
    need(minutes <= 59 and hours * 60 + minutes <= 18 * 60)
    return (-1 if match[1] == "-" else 1) * (hours * 60 + minutes) * 60


def instant(local, micros, offset, timezone):
    """`local` is a datetime without microseconds; `offset` seconds or None."""
    if offset is None:
        need(timezone)
        shift = local.replace(tzinfo=zoneinfo.ZoneInfo(timezone), fold=0).utcoffset()
        offset = shift // datetime.timedelta(seconds=1)
    return canonical_instant((local - FIRST) // MICROSECOND + micros - offset * 1_000_000)


def canonical_instant(micros_from_year_one):
    need(0 <= micros_from_year_one <= END)
    return (FIRST + micros_from_year_one * MICROSECOND).isoformat() + "Z"


ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)


def iso_timestamp(text, timezone):
    match = ISO.fullmatch(text)
    need(match)
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    date = calendar_day(year, month, day)
    need(hour <= 23 and minute <= 59 and second <= 59)
    micros = int((match[7] or "0").ljust(6, "0")[:6])
    local = datetime.datetime(date.year, date.month, date.day, hour, minute, second)
    return instant(local, micros, None if match[8] is None else offset_of(match[8]), timezone)


def any_case(words):
    return "|".join("".join(f"[{letter.upper()}{letter.lower()}]" for letter in word) for word in words)


def letters(run):
    if re.fullmatch("S{1,9}", run):
        return f"(?P<fraction>[0-9]{{{len(run)}}})"
    digits = {"yyyy": ("year", "{4}"), "MM": ("month", "{2}"), "M": ("month", "{1,2}"), "dd": ("day", "{2}"), "d": ("day", "{1,2}"),
              "HH": ("hour", "{2}"), "H": ("hour", "{1,2}"), "hh": ("hour12", "{2}"), "h": ("hour12", "{1,2}"),
              "mm": ("minute", "{2}"), "m": ("minute", "{1,2}"), "ss": ("second", "{2}"), "s": ("second", "{1,2}")}
    if run in digits:
        return f"(?P<{digits[run][0]}>[0-9]{digits[run][1]})"
    offset = "Z|[+-][0-9]{2}(?::?[0-9]{2})?"
    return {
        "MMMM": f"(?P<month_name>{any_case(MONTHS)})", "MMM": f"(?P<month_name>{any_case(m[:3] for m in MONTHS)})",
        "EEEE": f"(?P<weekday>{any_case(WEEKDAYS)})", "EEE": f"(?P<weekday>{any_case(d[:3] for d in WEEKDAYS)})",
        "a": "(?P<half>[AaPp][Mm])", "X": f"(?P<offset>{offset})", "XX": f"(?P<offset>{offset})", "XXX": f"(?P<offset>{offset})",
        "Z": f"(?P<offset>{'|'.join(NAMED)}|{offset})",
    }[run]


PATTERNS = {}


def pattern_of(format):
    if format not in PATTERNS:
        source = ""
        for quoted, run, other in tokens(format):
            source += re.escape(quoted) if quoted is not None else letters(run) if run is not None else re.escape(other)
        PATTERNS[format] = re.compile(source)
    return PATTERNS[format]


def tokens(format):
    """Quoted text, a run of one letter, or another character: two of the three are None."""
    at = 0
    while at < len(format):
        if format[at] == "'":
            text, at = "", at + 1
            if format[at] == "'":
                yield "'", None, None
                at += 1
                continue
            while True:
                if format[at] == "'" and format[at + 1 : at + 2] == "'":
                    text, at = text + "'", at + 2
                elif format[at] == "'":
                    at += 1
                    break
                else:
                    text, at = text + format[at], at + 1
            yield text, None, None
        elif format[at].isascii() and format[at].isalpha():
            end = at
            while end < len(format) and format[end] == format[at]:
                end += 1
            yield None, format[at:end], None
            at = end
        else:
            yield None, None, format[at]
            at += 1


def by_format(text, format):
    match = pattern_of(format).fullmatch(text)
    need(match)
    found = {name: value for name, value in match.groupdict().items() if value is not None}
    number = lambda name: int(found.get(name, "0"))
    month = number("month")
    if "month_name" in found:
        month = [name[:3].lower() for name in MONTHS].index(found["month_name"][:3].lower()) + 1
    date = calendar_day(number("year"), month, number("day"))
    if "weekday" in found:
        need(WEEKDAYS[date.weekday()][:3].lower() == found["weekday"][:3].lower())
    return date, found, number


def formatted_timestamp(text, format, timezone):
    date, found, number = by_format(text, format)
    hour = number("hour")
    if "hour12" in found:
        need(1 <= number("hour12") <= 12)
        hour = number("hour12") % 12 + (12 if found["half"].lower() == "pm" else 0)
    need(hour <= 23 and number("minute") <= 59 and number("second") <= 59)
    offset = None
    if "offset" in found:
        offset = NAMED[found["offset"]] * 3600 if found["offset"] in NAMED else offset_of(found["offset"])
    local = datetime.datetime(date.year, date.month, date.day, hour, number("minute"), number("second"))
    return instant(local, int(found.get("fraction", "0").ljust(6, "0")[:6]), offset, timezone)


def epoch(text, places):
    need(re.fullmatch(r"[+-]?[0-9]+(\.[0-9]{1,9})?", text))
    micros = EXACT.create_decimal(text).scaleb(6 - places, EXACT)
    return canonical_instant(EPOCH + int(micros))


def value_of(text, column):
    kind, format, timezone = column["type"], column.get("format", "iso"), column.get("timezone", "")
    if kind == "string":
        return text
    if kind in ("integer", "long"):
        return whole(text, 32 if kind == "integer" else 64)
    if kind == "decimal":
        return plain_decimal(text, column)
    if kind == "date":
        if format != "iso":
            return by_format(text, format)[0].isoformat()
        match = re.fullmatch("([0-9]{4})-([0-9]{2})-([0-9]{2})", text)
        need(match)
        return calendar_day(*map(int, match.groups())).isoformat()
    if kind == "timestamp":
        if format in EPOCHS:
            return epoch(text, EPOCHS[format])
        return iso_timestamp(text, timezone) if format == "iso" else formatted_timestamp(text, format, timezone)
    return {"double": double, "boolean": boolean, "uuid": uuid}[kind](text)


def judge(column, text):
    if column.get("trim", True):
        text = text.strip(BLANKS)
    if text == "":
        return {"verdict": "null"}
    try:
        return {"verdict": "value", "value": value_of(text, column)}
    except Refused:
        return {"verdict": "refused"}


if __name__ == "__main__":
    sys.set_int_max_str_digits(0)
    json.dump([judge(case["column"], case["text"]) for case in json.load(sys.stdin)], sys.stdout)
