"""Texts of the settings as patterns of JSON Schema, whose dialects are Python and JavaScript."""

from collections.abc import Mapping
from typing import Any

from exporter.config.scalars import (
    LABEL,
    MAX_DIGITS,
    UNITS,
    YEAR,
    Cidr,
    Duration,
    HostPort,
    IpAddress,
)


def whole(pattern: str) -> dict[str, str]:
    """Return the schema of a text that is *pattern* as a whole; other types pass."""
    # Python's $ also matches before a last line feed.
    return {"pattern": rf"^(?:{pattern})$(?!\n)"}


def _at_most(number: int) -> str:
    """Return a pattern of the integers from 0 to *number*, with zeros before them."""
    digits = str(number)
    rest = len(digits) - 1
    below = [
        rf"{digits[:at]}[0-{int(digit) - 1}][0-9]{{{rest - at}}}"
        for at, digit in enumerate(digits)
        if digit != "0"
    ]
    zeros = rf"0{{0,{MAX_DIGITS - len(digits)}}}"
    return rf"{zeros}(?:[0-9]{{1,{rest}}}|{'|'.join(below)}|{digits})"


def _duration() -> str:
    most = {unit: round(YEAR / seconds) - 1 for unit, seconds in UNITS.items()}
    return "(?=.*[1-9])" + "".join(rf"(?:{_at_most(most[unit])}{unit})?" for unit in UNITS)


_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_V4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_V6 = "[0-9a-fA-F]{0,4}:[0-9a-fA-F:.]*(?:%[^%/]+)?"
"""Only its characters, because its whole syntax is too long for a pattern."""
_PORT = "(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[0-5]?[0-9]{1,4})"

ONE_LABEL = whole(LABEL)
DOMAIN = whole(rf"{LABEL}(\.{LABEL})*")
NAMED_SERVICE = whole("[^/]+/[^/]+")
ADDRESS = whole(rf"{_V4}|{_V6}")
NETWORK = whole(rf"{_V4}(?:/(?:0*(?:3[0-2]|[12]?[0-9])|{_V4}))?|{_V6}(?:/[0-9]+)?")
NAME_SERVER = whole(rf"(?:{_V4}|\[(?:{_V4}|{_V6})\])(?::(?!0+$){_PORT})?")

SCHEMAS: Mapping[type, dict[str, Any]] = {
    Duration: {
        "type": "string",
        "description": "A duration of less than a year, such as 250ms, 15s, 5m or 1h30m.",
        **whole(_duration()),
    },
    Cidr: {"type": "string", "description": "A network, such as 10.1.0.0/16.", **NETWORK},
    HostPort: {
        "type": "string",
        "description": "address:port, such as 10.96.0.10:53.",
        **NAME_SERVER,
    },
    IpAddress: {"type": "string", "description": "An IP address, such as 10.1.0.7.", **ADDRESS},
}
"""The JSON Schema of each of our types."""
