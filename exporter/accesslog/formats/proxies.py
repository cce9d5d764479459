"""The formats of HAProxy and Traefik that cannot be configured, in names of their own."""

import re

from exporter.accesslog.formats.expression import Escape
from exporter.accesslog.formats.text import TextFormat, split
from exporter.accesslog.formats.times import parse_time
from exporter.accesslog.formats.values import (
    HOST_AND_PORT,
    MILLISECONDS,
    SIZE_OR_DASH,
    Shape,
    Value,
)

HTTPLOG = (
    "$prefix$client [$accepted] $frontend $backend/$server $TR/$Tw/$Tc/$Tr/$Ta $status $size "
    "$request_cookie $response_cookie $state $ac/$fc/$bc/$sc/$rc $sq/$bq "
    '$captured"$request"'
)
"""HAProxy's `option httplog`: documentation, "HTTP log format"."""
HTTPLOG_WITH_HEADERS = HTTPLOG.replace(" $captured", " {$host|$agent}$space")
"""The same with the headers Host and User-Agent captured, in this order."""
CLF = (
    '$client - $user [$start] "$method $path $protocol" $status $size "$referer" "$agent" $count '
    '"$router" "$url" $elapsedms'
)
"""Traefik's `common`: pkg/middlewares/accesslog/logger_formatters.go."""
_VARIABLE = re.compile(r"\$(elapsed|\w+)")
_WORD = Value(word=True)
# HAProxy writes + before what it logged before the end, and -1 for what never came.
_COUNT = Shape(rb"\d{1,18}+", before=rb"(?:-1|\+?+", after=rb")", shortest=1)
# What syslog puts before a line begins with a month, a date or a <priority>.
_OF_SYSLOG = Shape(b"", before=rb'(?:(?=[A-Z<]|\d{4}-)[^\["\n]{1,300}+\[\d{1,9}+\]: )?+')
# HAProxy writes quotes, braces and bytes that are no text as #22 and the like.
_HAPROXY = {
    "prefix": Value(shape=_OF_SYSLOG, glued=True),
    "client": Value(field="address", shape=HOST_AND_PORT),
    "Ta": Value(field="seconds", shape=_COUNT, unit=MILLISECONDS, whole=True),
    "status": Value(field="status", shape=_COUNT),
    "size": Value(field="size", shape=_COUNT),
    "captured": Value(shape=Shape(b"", before=rb"(?:\{[^}\n]*+\} ){0,2}+")),
    "host": Value(field="host", word=True),
    "space": Value(shape=Shape(b" ")),
    "agent": Value(field="agent", shape=None, escaped=True),
    "request": Value(field="path", request=True),
}
# What a proxy before Traefik says of the client stands here as it came, perhaps as a list.
_CLIENT = Shape(rb'[^ "\n]++(?:, [^ "\n]++)*+', shortest=1)
_TRAEFIK = {
    "client": Value(field="address", shape=_CLIENT),
    "user": Value(user=True),
    "start": Value(field="stamp", shape=Shape(rb".{26}", shortest=26), time=parse_time),
    "path": Value(field="path", word=True),
    "status": Value(
        field="status", shape=Shape(rb"\d{1,3}+", before=rb"(?:-|", after=rb")", shortest=1)
    ),
    "size": Value(field="size", shape=SIZE_OR_DASH),
    "count": Value(shape=Shape(rb"\d++", shortest=1)),
    "referer": Value(),
    "agent": Value(field="agent"),
    "router": Value(made=True),
    "url": Value(field="upstream", made=True),
    "elapsed": Value(
        field="seconds", shape=Shape(rb"\d{1,18}+", shortest=1), unit=MILLISECONDS, whole=True
    ),
}
_HAPROXY_ASKS = {
    name: f"HAProxy's httplog has no {what}; capture Host and User-Agent there and write "
    "haproxy-headers here"
    for name, what in (("host", "host"),)
} | {"upstream_name": "HAProxy's httplog names no upstream that tells a service; use {host: true}"}
_TRAEFIK_ASKS = {
    "host": "Traefik's common format has no host; set accesslog.format=json in Traefik and "
    "traefik-json here",
    "upstream_name": "Traefik's common format has no name of a service; set accesslog.format=json "
    "in Traefik and traefik-json here",
}


def haproxy(text: str = HTTPLOG) -> TextFormat:
    """Return the pieces of HAProxy's httplog, with or without what syslog puts before it."""
    pieces = tuple(split(text, _VARIABLE, lambda found: _HAPROXY.get(found[1], _WORD)))
    # Of what is no request there are no headers.
    headers = next((n for n, piece in enumerate(pieces) if piece.text == " {"), len(pieces))
    return TextFormat(
        pieces=pieces,
        escape=Escape.HEX,
        body=text,
        asks=_HAPROXY_ASKS,
        optional=range(headers, headers + 5) if headers < len(pieces) else range(0),
    )


def traefik() -> TextFormat:
    """Return the pieces of Traefik's common format."""
    pieces = split(CLF, _VARIABLE, lambda found: _TRAEFIK.get(found[1], _WORD))
    return TextFormat(pieces=tuple(pieces), escape=Escape.RAW, body=CLF, asks=_TRAEFIK_ASKS)
