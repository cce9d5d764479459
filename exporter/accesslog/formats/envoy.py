"""
Envoy's formats, and those of Istio: text with `%COMMAND%`s in, pieces out.

Envoy escapes nothing in text. Its own words hold no quote, and neither do a request's path, host
and protocol, because it refuses requests in which they do. All other headers may.

Source: Envoy, "Access logging", command operators; Istio, pilot/pkg/model/telemetry_logging.go.
"""

import re
from dataclasses import replace

from exporter.accesslog.formats.expression import Escape, Piece
from exporter.accesslog.formats.text import TextFormat, split, tellers
from exporter.accesslog.formats.times import parse_iso
from exporter.accesslog.formats.values import (
    DIGITS,
    HOST_AND_PORT,
    LAST_OF_LIST,
    MILLISECONDS,
    Shape,
    Value,
)

DEFAULT = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" '
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "
    '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" '
    '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"'
)
ISTIO = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" '
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "
    '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% '
    '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" '
    '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% '
    "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% "
    "%REQUESTED_SERVER_NAME% %ROUTE_NAME%"
)
ASKS = {
    name: f"has no {command}; add it to the format in Envoy"
    for name, command in (
        ("address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
        ("status", "%RESPONSE_CODE%"),
        ("host", "%REQ(:AUTHORITY)%"),
        ("path", "%REQ(:PATH)%"),
        ("upstream_name", "%UPSTREAM_CLUSTER%"),
    )
}
IS_ENVOY = re.compile(r"%[A-Z][A-Z_]{2,}(?:\([^)]*\))?(?::\d+)?%")
_COMMAND = re.compile(r"%(?P<name>[A-Z][A-Z0-9_]+)(?:\((?P<argument>[^)]*)\))?(?::\d+)?%")
_ISO = Shape(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", shortest=24)
# A word of HTTP and not the `-` of a TCP connection, which is no request.
_PROTOCOL = Shape(rb"HTTP/[0-9.]{1,3}+", shortest=6)
_STATUS = Shape(rb"\d{1,3}+", shortest=1)
"""0 if the client went away before the answer."""
_COMMANDS = {
    "PROTOCOL": Value(made=True, shape=_PROTOCOL),
    "DOWNSTREAM_REMOTE_ADDRESS": Value(field="address", made=True, shape=HOST_AND_PORT),
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": Value(field="address", rank=1, word=True),
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS": Value(
        field="address", rank=2, made=True, shape=HOST_AND_PORT
    ),
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT": Value(field="address", rank=3, word=True),
    "RESPONSE_CODE": Value(field="status", made=True, shape=_STATUS),
    "BYTES_SENT": Value(field="size", made=True, shape=DIGITS),
    "DURATION": Value(
        field="seconds",
        made=True,
        shape=Shape(rb"\d{1,18}+", before=rb"(?:-|", after=rb")", shortest=1),
        unit=MILLISECONDS,
        whole=True,
    ),
    "UPSTREAM_HOST": Value(field="upstream", word=True),
    "UPSTREAM_CLUSTER": Value(field="upstream_name", word=True),
    "UPSTREAM_CLUSTER_RAW": Value(field="upstream_name", rank=1, word=True),
    "UPSTREAM_TRANSPORT_FAILURE_REASON": Value(made=True),
}
_HEADERS = {
    ":method": Value(word=True),
    ":scheme": Value(word=True),
    ":authority": Value(field="host", word=True),
    ":path": Value(field="path", word=True),
    "host": Value(field="host", rank=1, word=True),
    "x-envoy-original-path": Value(field="path", rank=1, word=True),
    "user-agent": Value(field="agent"),
    "x-forwarded-for": Value(field="forwarded"),
}
_OF_CLIENTS = {"REQ", "REQ_WITHOUT_QUERY", "TRAILER", "DYNAMIC_METADATA", "METADATA", "CEL"}
_BEHIND = Value(field="address", rank=9, shape=LAST_OF_LIST)


def read(text: str) -> TextFormat:
    """Return the pieces of a format with commands."""
    body = text.removesuffix("\n").removesuffix("\\n")
    pieces = list(split(body, _COMMAND, _value))
    if "address" not in tellers(pieces):
        # The only address of the client is the one that Envoy adds to this header.
        pieces = [_as_address(piece) for piece in pieces]
    return TextFormat(pieces=tuple(pieces), escape=Escape.RAW, body=body, asks=ASKS)


def _as_address(piece: Piece) -> Piece:
    forwarded = piece.value is not None and piece.value.field == "forwarded"
    return replace(piece, value=_BEHIND) if forwarded else piece


def _value(found: re.Match[str]) -> Value:
    name, argument = found["name"], (found["argument"] or "").lower()
    if name in _OF_CLIENTS:
        headers = argument.split(":")[0:1] if "?" not in argument else argument.split("?")
        named = [_HEADERS[each] for each in (*headers, argument) if each in _HEADERS]
        return named[-1] if named else Value()
    if name == "RESP":
        return Value(word=argument == "x-envoy-upstream-service-time")
    if name == "START_TIME" and not argument:
        return Value(field="stamp", made=True, shape=_ISO, time=parse_iso)
    return _COMMANDS.get(name) or Value(word=True)
