"""
Pictures of the docs as files: PNGs of 256 colours, each with the hash of what it was made from.

Reads and writes bytes only. A text chunk of the PNG holds the hash, so a test can tell when a
picture is older than what it shows.
"""

import hashlib
import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator

COLOURS = 256
SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEY = b"Source"


def stamped(png: bytes, sources: Iterable[bytes]) -> bytes:
    """Return the picture with the hash of *sources* in it."""
    body = KEY + b"\0" + digest(sources).encode()
    end = chunk(b"IEND", b"")
    return png.removesuffix(end) + chunk(b"tEXt", body) + end


def stamp_of(png: bytes) -> str:
    """Return the hash that a picture holds, or an empty text."""
    for kind, body in chunks(png):
        if kind == b"tEXt" and body.startswith(KEY + b"\0"):
            return body.removeprefix(KEY + b"\0").decode()
    return ""


def digest(sources: Iterable[bytes]) -> str:
    """Return one hash of all *sources*, in their order."""
    whole = hashlib.sha256()
    for each in sources:
        whole.update(hashlib.sha256(each).digest())
    return whole.hexdigest()


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the chunks of a PNG."""
    at = len(SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a chunk as it stands in a file."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def unfiltered(raw: bytes, width: int, height: int, size: int) -> list[bytes]:
    """Return the lines of an image of *size* bytes a pixel, its filters undone."""
    stride, lines, above = width * size, [], bytearray(width * size)
    for row in range(height):
        start = row * (stride + 1)
        kind, line = raw[start], bytearray(raw[start + 1 : start + 1 + stride])
        for i in range(stride if kind else 0):
            left = line[i - size] if i >= size else 0
            corner = above[i - size] if i >= size else 0
            line[i] = (line[i] + guess(kind, left, above[i], corner)) & 255
        lines.append(bytes(line))
        above = line
    return lines


def guess(kind: int, left: int, up: int, corner: int) -> int:
    """Return what a filter expected of a byte. Source: PNG specification, section 9."""
    if kind < 4:
        return (0, left, up, (left + up) // 2)[kind]
    base = left + up - corner
    return min((left, up, corner), key=lambda each: abs(base - each))


def small(png: bytes, kept: Iterable[str] = ()) -> bytes:
    """Return a PNG with its colours reduced to a palette; those of *kept*, as #0072B2, stay."""
    parts = list(chunks(png))
    width, height, _, kind = struct.unpack_from(">IIBB", parts[0][1])
    size = 4 if kind == 6 else 3
    raw = zlib.decompress(b"".join(body for name, body in parts if name == b"IDAT"))
    pixels = [
        [line[i : i + 3] for i in range(0, len(line), size)] for line in unfiltered(raw, width, height, size)
    ]
    counted = Counter(pixel for line in pixels for pixel in line)
    # A thin line has few pixels, and its colour is what tells it from the others.
    weight = {colour: number * (1 + max(colour) - min(colour)) for colour, number in counted.items()}
    weight |= dict.fromkeys(map(bytes.fromhex, (each[1:] for each in kept)), len(raw) ** 2)
    palette = sorted(weight, key=weight.__getitem__, reverse=True)[:COLOURS]
    places = {colour: place for place, colour in enumerate(palette)}
    for colour in counted.keys() - places.keys():
        far = [sum((a - b) ** 2 for a, b in zip(colour, each, strict=True)) for each in palette]
        places[colour] = far.index(min(far))
    body = b"".join(b"\0" + bytes(map(places.__getitem__, line)) for line in pixels)
    return (
        SIGNATURE
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
        + chunk(b"PLTE", b"".join(palette))
        + chunk(b"IDAT", zlib.compress(body, 9))
        + chunk(b"IEND", b"")
    )
