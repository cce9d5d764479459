"""The pictures of the docs show the product as it is."""

import json
import struct
import zlib

import pytest

from docs.pictures import DOCS, shown, sources
from docs.png import chunk, chunks, digest, small, stamp_of, stamped

MEASURED = {"real-node-upgrade.png": "a measurement, which says on which day it was made"}
MAKE = "the picture is older than what it shows: make picture dashboard-pictures"


@pytest.mark.parametrize("name", sources())
def test_no_picture_is_older_than_what_it_shows(name):
    assert stamp_of((DOCS / name).read_bytes()) == digest(sources()[name]), MAKE


def test_each_picture_is_made_from_the_product_or_says_why_not():
    names = {path.name for path in DOCS.rglob("*.png")}
    assert names == sources().keys() | MEASURED.keys()


def picture(pixels):
    """Return a PNG of one line of RGB pixels."""
    body = zlib.compress(b"\0" + bytes(value for pixel in pixels for value in pixel))
    head = struct.pack(">IIBBBBB", len(pixels), 1, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def test_a_picture_tells_what_it_was_made_from():
    plain = small(picture([(1, 2, 3), (4, 5, 6)]))
    made = stamped(plain, [b"board"])
    assert stamp_of(plain) == ""
    assert stamp_of(made) == digest([b"board"]) != digest([b"board, changed"])
    assert [kind for kind, _ in chunks(made)] == [b"IHDR", b"PLTE", b"IDAT", b"tEXt", b"IEND"]


def test_a_colour_that_means_something_stays_as_it_is():
    shades = [(n, n, n) for n in range(256)]
    few = [(0x5A, 0x2D, 0xC3)]
    reduced = dict(chunks(small(picture(shades * 9 + few), ["#5A2DC3"])))
    assert bytes(few[0]) in {reduced[b"PLTE"][at : at + 3] for at in range(0, 768, 3)}


def test_what_is_only_shown_on_hover_makes_no_picture_old():
    board = {"title": "Board", "panels": [{"title": "Panel", "description": "On hover."}]}
    assert json.loads(shown(board)) == {"title": "Board", "panels": [{"title": "Panel"}]}
