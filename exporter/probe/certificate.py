"""When a certificate ends: reads as much DER as that needs, for any certificate (RFC 5280)."""

from datetime import UTC, datetime

_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_LONG = 0x80
_BEFORE_VALIDITY = 3
"""Serial number, signature algorithm, issuer."""


def certificate_end(der: bytes) -> float | None:
    """Return the end of a certificate in unix seconds; None if it cannot be read."""
    try:
        certificate, _ = _enter(der, 0, _SEQUENCE)
        place, _ = _enter(der, certificate, _SEQUENCE)
        if der[place] == _VERSION:
            place = _after(der, place)
        for _ in range(_BEFORE_VALIDITY):
            place = _after(der, place)
        start, _ = _enter(der, place, _SEQUENCE)
        return _time(der, _after(der, start))
    except (IndexError, ValueError):
        return None


def _enter(der: bytes, place: int, tag: int) -> tuple[int, int]:
    """Return where the contents of the value at *place* begin and end."""
    if der[place] != tag:
        msg = f"no value of type {tag:#x}"
        raise ValueError(msg)
    size, start = der[place + 1], place + 2
    if size >= _LONG:
        start += size - _LONG
        size = int.from_bytes(der[place + 2 : start])
    if start + size > len(der):
        msg = "a value is cut"
        raise ValueError(msg)
    return start, start + size


def _after(der: bytes, place: int) -> int:
    return _enter(der, place, der[place])[1]


def _time(der: bytes, place: int) -> float:
    start, end = _enter(der, place, der[place])
    text = der[start:end]
    if der[place] == _UTC_TIME:
        # Two digits of a year are of 1950 to 2049.
        text = (b"19" if text[:2] >= b"50" else b"20") + text
    elif der[place] != _GENERALIZED_TIME:
        msg = "not a time"
        raise ValueError(msg)
    if len(text) != len("20501231235959Z") or not text[:-1].isdigit() or text[-1:] != b"Z":
        msg = "not a time"
        raise ValueError(msg)
    # strptime would cost as much as all the rest.
    month, day, hour, minute, second = (int(text[n : n + 2]) for n in range(4, 14, 2))
    return datetime(int(text[:4]), month, day, hour, minute, second, tzinfo=UTC).timestamp()
