"""Errors of requests as ApiError."""

import weakref

import aiohttp
import pytest

from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.replies import translated


class Part:
    """A part of a reply that broke off; it refers to the error, as aiohttp's streams do."""

    def __init__(self, error):
        self.error = error


@pytest.mark.parametrize("cause", [None, ConnectionResetError("gone")])
def test_what_was_read_of_a_reply_that_broke_off_is_let_go(cause):
    read = []

    def read_all():
        part = Part(aiohttp.ClientPayloadError("not all of it came"))
        read.append(weakref.ref(part))
        raise part.error from cause

    with pytest.raises(ApiError, match="GET /api: not all of it came") as raised:  # noqa: SIM117
        with translated("GET /api"):
            read_all()
    assert raised.value.kind is ErrorKind.UNREACHABLE
    assert isinstance(raised.value.__cause__, aiohttp.ClientPayloadError)
    assert [part() for part in read] == [None]
