"""Reads the replies of a server within bounds, and turns its errors into ours."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import aiohttp
import msgspec

from exporter.apiserver.errors import (
    MAX_RETRY_AFTER,
    UNREADABLE,
    ApiError,
    ErrorKind,
    kind_of,
    one_line,
    read_retry_after,
)
from exporter.model.frames import clear_all_frames

MAX_BODY = 64 << 20
"""Bytes of the largest allowed reply; a page of 500 objects is a few MiB."""
MAX_ERROR = 64 << 10
ERROR_LIMIT = 10.0
"""Seconds to read the body of an error; what has come by then is used."""
_OK = range(200, 300)
_JSON = "application/json"


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn the errors of aiohttp and the system into an ApiError that names the request."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        # Else its frames keep what was read of the reply.
        clear_all_frames(error)
        raise _translated(error, what) from error


def _translated(error: aiohttp.ClientError | OSError, what: str) -> ApiError:
    if isinstance(error, aiohttp.ClientSSLError):
        return ApiError(ErrorKind.TLS, f"{what}: {one_line(str(error))}")
    if isinstance(error, TimeoutError):
        return ApiError(ErrorKind.UNREACHABLE, f"{what}: no answer in time", silent=True)
    if isinstance(error, aiohttp.ClientConnectorError):
        # Its own text shows an object in memory. Error numbers of getaddrinfo are not the system's.
        cause, number = error.os_error, error.os_error.errno or 0
        why = os.strerror(number) if number > 0 else cause.strerror or cause
        said = one_line(f"cannot connect to {error.host}:{error.port}: {why}")
        return ApiError(ErrorKind.UNREACHABLE, f"{what}: {said}")
    said = one_line(str(error)) or type(error).__name__
    # TCP keepalives that nobody answers end a connection with ETIMEDOUT.
    silent = isinstance(error.__cause__, TimeoutError)
    return ApiError(ErrorKind.UNREACHABLE, f"{what}: {said}", silent=silent)


async def check(reply: aiohttp.ClientResponse, what: str, *, json: bool) -> None:
    """Raise an ApiError if the status or the headers of a reply are wrong."""
    if reply.status not in _OK:
        raise await _error(reply, what)
    encoding = reply.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        msg = f"{what}: is encoded as {one_line(encoding)}, which was not requested"
        raise ApiError(ErrorKind.MALFORMED, msg, status=reply.status)
    if json and reply.content_type != _JSON:
        msg = f"{what}: is {one_line(reply.content_type)} instead of JSON; is a proxy in between?"
        raise ApiError(ErrorKind.MALFORMED, msg, status=reply.status)


async def whole(reply: aiohttp.ClientResponse, what: str) -> bytes:
    """Return a whole body, up to MAX_BODY bytes."""
    body = await _up_to(reply, MAX_BODY)
    if len(body) > MAX_BODY:
        msg = f"{what}: the reply is larger than {MAX_BODY >> 20} MiB"
        raise ApiError(ErrorKind.TOO_LARGE, msg, status=reply.status)
    return body


def decoded(body: bytes, what: str) -> dict[str, Any]:
    """Decode *body*, which must be a JSON object."""
    try:
        found = msgspec.json.decode(body)
    except UNREADABLE as error:
        msg = f"{what}: the reply is not JSON: {one_line(str(error))}"
        raise ApiError(ErrorKind.MALFORMED, msg) from error
    if not isinstance(found, dict):
        msg = f"{what}: the reply is not a JSON object"
        raise ApiError(ErrorKind.MALFORMED, msg)
    return found


class Chunks:
    """The chunks of a body as they come; ApiError if the connection breaks."""

    def __init__(self, reply: aiohttp.ClientResponse, what: str) -> None:
        self._reply, self._what = reply, what

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        with translated(self._what):
            chunk = await self._reply.content.readany()
        if not chunk:
            raise StopAsyncIteration
        return chunk


async def _up_to(reply: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return the body, or its beginning of more than *limit* bytes."""
    parts, size = [], 0
    while size <= limit and (part := await reply.content.readany()):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


async def _error(reply: aiohttp.ClientResponse, what: str) -> ApiError:
    body = b""
    try:
        async with asyncio.timeout(ERROR_LIMIT):
            body = await _up_to(reply, MAX_ERROR)
    except (aiohttp.ClientError, OSError):  # TimeoutError is one: the status says enough
        pass
    try:
        status = decoded(body, what)
    except ApiError:
        status = {}
    reason = one_line(str(status.get("reason") or reply.reason or ""))
    said = one_line(str(status.get("message") or ""))
    details = status.get("details")
    after = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    return ApiError(
        kind_of(reply.status),
        f"{what}: {reply.status} {reason}{': ' if said else ''}{said}",
        status=reply.status,
        reason=reason,
        retry_after=_wait(reply.headers.get("Retry-After"), after),
    )


def _wait(header: str | None, detail: object) -> float | None:
    seconds = read_retry_after(header)
    if seconds is None and isinstance(detail, int) and detail > 0:
        seconds = min(float(detail), MAX_RETRY_AFTER)
    return seconds
