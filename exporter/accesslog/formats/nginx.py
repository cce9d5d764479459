"""nginx's formats: a `log_format` string or directive in, pieces out."""

import re
from collections.abc import Iterator

from exporter.accesslog.formats.expression import Escape, Piece
from exporter.accesslog.formats.log_format import FormatError
from exporter.accesslog.formats.text import TextFormat, join_ports, split
from exporter.accesslog.formats.times import parse_iso, parse_msec, parse_time
from exporter.accesslog.formats.values import DIGITS, HOST_AND_PORT, STATUS, Shape, Value

COMBINED = (
    '$remote_addr - $remote_user [$time_local] "$request" '
    '$status $body_bytes_sent "$http_referer" "$http_user_agent"'
)
NAMED = {"combined": COMBINED, "main": f'{COMBINED} "$http_x_forwarded_for"'}
"""nginx's own format, and that of its docker image."""
ASKS = {
    name: f"has no {variable}; add it to the log_format in nginx"
    for name, variable in (
        ("address", "$remote_addr"),
        ("status", "$status"),
        ("host", "$host"),
        ("path", "$request"),
        ("upstream_name", "$proxy_upstream_name"),
    )
}
# Values that hold neither spaces nor quotes; of those that are not listed anything is expected.
_WORDS = frozenset(
    """
    remote_port realip_remote_port request_length connection connection_requests pid server_port
    server_addr scheme request_method server_protocol hostname server_name request_id
    ssl_protocol ssl_cipher pipe gzip_ratio https connection_time nginx_version proxy_protocol_addr
    req_id
    """.split()  # noqa: SIM905 - words read better than commas
)
_TIME = Shape(rb".{26}", shortest=26)
_SECONDS = Shape(rb"\d{1,9}+\.\d{1,9}+", shortest=3)
_TRIES = Shape(rb"(?:[-\d.]++(?:(?:, | : )[-\d.]++)*+)?+")
"""A number a try of an upstream; `-` where none was asked."""
_ADDRESS = rb'(?:\[[^] ,"\n]*+\])?+[^] ,"\n]*+'
_ADDRESSES = Shape(_ADDRESS + rb"(?:(?:, | : )" + _ADDRESS + rb")*+")
"""An address a try of an upstream; that of IPv6 has brackets."""
_VALUES: dict[str, Value] = {
    "remote_addr": Value(field="address", word=True),
    "realip_remote_addr": Value(field="address", rank=1, word=True),
    "http_x_forwarded_for": Value(field="forwarded"),
    "proxy_add_x_forwarded_for": Value(field="forwarded", rank=1),
    "host": Value(field="host", word=True),
    "http_host": Value(field="host", rank=1),
    "request": Value(field="path", request=True),
    "request_uri": Value(field="path", rank=1, word=True),
    "uri": Value(field="path", rank=2),
    "time_local": Value(field="stamp", shape=_TIME, time=parse_time, at_end=True),
    "time_iso8601": Value(
        field="stamp", rank=1, shape=Shape(rb".{25}", shortest=25), time=parse_iso, at_end=True
    ),
    "msec": Value(
        field="stamp", rank=2, shape=Shape(rb"\d{1,12}+\.\d{1,9}+"), time=parse_msec, at_end=True
    ),
    "status": Value(field="status", shape=STATUS),
    "body_bytes_sent": Value(field="size", shape=DIGITS),
    "bytes_sent": Value(field="size", rank=1, shape=DIGITS),
    "request_time": Value(field="seconds", shape=_SECONDS, whole=True),
    "upstream_response_time": Value(field="seconds", rank=1, shape=_TRIES),
    "upstream_response_length": Value(shape=_TRIES),
    "upstream_status": Value(field="upstream_status", shape=_TRIES),
    "upstream_connect_time": Value(shape=_TRIES),
    "upstream_header_time": Value(shape=_TRIES),
    "upstream_addr": Value(field="upstream", shape=_ADDRESSES),
    "proxy_upstream_name": Value(field="upstream_name", word=True),
    "proxy_alternative_upstream_name": Value(word=True),
    "http_user_agent": Value(field="agent"),
    "remote_user": Value(user=True),
    "remote_port": Value(word=True, numeric_port=True),
    "realip_remote_port": Value(word=True, numeric_port=True),
}
_PAIRS = {
    f"${name}": Piece(
        f"${name}:$remote_port", Value(field="address", rank=rank, shape=HOST_AND_PORT), 0
    )
    for rank, name in enumerate(("remote_addr", "realip_remote_addr"))
}
_ANY, _WORD = Value(), Value(word=True)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_DIRECTIVE = re.compile(r"\s*log_format\s+\S+\s+(.*?);?\s*", re.DOTALL)
_ESCAPE = re.compile(r"\s*escape=(\w+)\s+")
_ESCAPES = {"default": Escape.HEX, "json": Escape.JSON, "none": Escape.NONE}
_STRINGS = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(\S+)""")


def read(text: str, optional: str = "") -> TextFormat:
    """
    Return the pieces of a format.

    Args:
        text: `combined`, `main`, a log_format string, or a whole `log_format` directive.
        optional: What follows it in some lines.
    """
    body, escape = _plain(text)
    pieces = join_ports(_pieces(body), _PAIRS)
    least = len(pieces)
    pieces += _pieces(optional)
    return TextFormat(
        pieces=tuple(pieces),
        escape=_ESCAPES[escape],
        body=body,
        asks=ASKS,
        optional=range(least, len(pieces)),
    )


def with_host(text: str) -> Iterator[str]:
    """Yield log_format strings that have `$host` beside what *text* has; the best comes first."""
    body, escape = _plain(text)
    prefix = "" if escape == "default" else f"escape={escape} "
    if body.rstrip().endswith("}"):
        yield f'{prefix}{body.rstrip()[:-1]},"host":"$host"}}'
    yield f'{prefix}{body} "$host"'
    yield f'{prefix}"$host" {body}'


def _plain(text: str) -> tuple[str, str]:
    """Return the format's string and how it is escaped."""
    if text in NAMED:
        return NAMED[text], "default"
    directive = _DIRECTIVE.fullmatch(text)
    body = directive[1] if directive else text
    escaped = _ESCAPE.match(body)
    escape = escaped[1] if escaped else "default"
    if escape not in _ESCAPES:
        msg = f"escape={escape} is none of default, json and none"
        raise FormatError(msg)
    body = body[escaped.end() :] if escaped else body
    if directive:
        strings = _STRINGS.findall(body)
        body = "".join(_unescape(one or two or bare) for one, two, bare in strings)
    return body, escape


def _unescape(text: str) -> str:
    """Undo what nginx's configuration parser undoes."""
    known = {"t": "\t", "r": "\r", "n": "\n", "\\": "\\", "'": "'", '"': '"'}
    return re.sub(r"\\([trn\\'\"])", lambda found: known[found[1]], text)


def _value(found: re.Match[str]) -> Value:
    name = found[1] or found[2]
    return _VALUES.get(name) or (_WORD if name in _WORDS else _ANY)


def _pieces(text: str) -> Iterator[Piece]:
    return split(text, _VARIABLE, _value, called=lambda found: f"${found[1] or found[2]}")
