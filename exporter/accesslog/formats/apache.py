r"""
Apache's formats: a `LogFormat` string or directive with `%h` and its like in, pieces out.

Apache writes a quote inside a value as `\"`, and a backslash as two.

Source: Apache HTTP Server, mod_log_config, "Custom Log Formats".
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from exporter.accesslog.formats.expression import Escape, Piece
from exporter.accesslog.formats.text import TextFormat, join_ports, split
from exporter.accesslog.formats.times import parse_time
from exporter.accesslog.formats.values import (
    DIGITS,
    HOST_AND_PORT,
    MICROSECONDS,
    MILLISECONDS,
    SIZE_OR_DASH,
    Shape,
    Value,
)

COMMON = '%h %l %u %t "%r" %>s %b'
COMBINED = COMMON + ' "%{Referer}i" "%{User-Agent}i"'
ASKS = {
    name: f"has no {directive}; add it to LogFormat in Apache"
    for name, directive in (
        ("address", "%h"),
        ("status", "%>s"),
        ("host", "%{Host}i"),
        ("path", "%r"),
        ("upstream_name", "%{BALANCER_NAME}e"),
    )
}
_VARIABLE = re.compile(
    r"%(?:[<>]|!?\d{3}(?:,\d{3})*)*(?:\{(?P<argument>[^}]*)\})?[<>]?(?P<letter>\^t[io]|[A-Za-z])"
)
_DIRECTIVE = re.compile(r'\s*LogFormat\s+(?:"((?:[^"\\]|\\.)*)"|(\S+))(?:\s+\S+)?\s*', re.DOTALL)
_TIME_ITSELF = re.compile(r"((?:^|[^%])(?:%%)*)%t")
_TIME = Shape(rb".{26}", shortest=26)
_STATUS = Shape(rb"\d\d\d", before=rb"(?:-|", after=rb")", shortest=1)
_LETTERS = {
    "h": Value(field="address", word=True),
    "a": Value(field="address", rank=1, word=True),
    "l": Value(word=True),
    "u": Value(user=True),
    "r": Value(field="path", request=True),
    "U": Value(field="path", rank=1),
    "t": Value(field="stamp", shape=_TIME, time=parse_time),
    "s": Value(field="status", shape=_STATUS),
    "b": Value(field="size", shape=SIZE_OR_DASH),
    "B": Value(field="size", rank=1, shape=DIGITS),
    "O": Value(field="size", rank=2, shape=SIZE_OR_DASH),
    "D": Value(field="seconds", shape=DIGITS, unit=MICROSECONDS, whole=True),
    "T": Value(field="seconds", rank=1, shape=DIGITS, whole=True),
    "v": Value(field="host", rank=1, word=True),
    "V": Value(field="host", rank=2, word=True),
    "p": Value(word=True, numeric_port=True),
}
_WORDS = frozenset("ADHIPSXfkmnLR")
_HEADERS = {
    "host": Value(field="host"),
    "user-agent": Value(field="agent"),
    "x-forwarded-for": Value(field="forwarded"),
}
# Set by mod_proxy_balancer: the URL of the server that was asked last.
_OF_BALANCERS = {
    "BALANCER_WORKER_NAME": Value(field="upstream", word=True),
    "BALANCER_NAME": Value(field="upstream_name", word=True),
}
_UNITS = {"ms": MILLISECONDS, "us": MICROSECONDS, "s": 1.0}
_PAIRS = {
    f"%{letter}": Piece(
        f"%{letter}:%{{remote}}p", Value(field="address", rank=rank, shape=HOST_AND_PORT), 0
    )
    for rank, letter in enumerate("ha")
}


def read(text: str, optional: str = "") -> TextFormat:
    r"""
    Return the pieces of a format.

    Args:
        text: A string, also with the `\"` that a configuration has, or a whole directive.
        optional: What follows it in some lines.
    """
    directive = _DIRECTIVE.fullmatch(text)
    body = (directive[1] or directive[2]) if directive else text
    body = re.sub(r'\\(["\\])', r"\1", body).replace(r"\t", "\t").removesuffix(r"\n")
    pieces = join_ports(_pieces(body), _PAIRS)
    least = len(pieces)
    pieces += _pieces(optional)
    return TextFormat(
        pieces=tuple(pieces),
        escape=Escape.BACKSLASH,
        body=body,
        asks=ASKS,
        optional=range(least, len(pieces)),
    )


def _pieces(text: str) -> Iterator[Piece]:
    # %t comes with its brackets, which stand in no format.
    added = 0
    for piece in split(_TIME_ITSELF.sub(r"\1[%t]", text), _VARIABLE, _value):
        yield replace(piece, place=max(0, piece.place - added))
        added += 2 * (piece.text == "%t")


def _value(found: re.Match[str]) -> Value:
    letter, argument = found["letter"], found["argument"] or ""
    if not argument:
        return _LETTERS.get(letter) or Value(word=letter in _WORDS)
    if letter == "i":
        return _HEADERS.get(argument.lower()) or Value()
    if letter == "e":
        return _OF_BALANCERS.get(argument) or Value()
    if letter == "T" and argument in _UNITS:
        return Value(field="seconds", shape=DIGITS, unit=_UNITS[argument], whole=True)
    if letter == "p":
        return Value(word=True, numeric_port=argument == "remote")
    return Value(field="address", rank=2, word=True) if found[0] in {"%{c}h", "%{c}a"} else Value()
