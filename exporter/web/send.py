"""Sends an answer in pieces, so that a slow reader holds only a few of them."""

from collections.abc import Iterable, Iterator, Mapping

from aiohttp import web

from exporter.web.connection import Connection

PIECE = 8 << 10


def cut(body: bytes) -> Iterator[memoryview]:
    """Yield *body* in pieces, without a copy."""
    whole = memoryview(body)
    return (whole[start : start + PIECE] for start in range(0, len(body), PIECE))


async def send(
    request: web.Request,
    pieces: Iterable[bytes | memoryview],
    size: int,
    headers: Mapping[str, str],
) -> web.StreamResponse:
    """
    Answer *request* with *pieces*, which have *size* bytes together.

    The next piece is sent when the client has read nearly all of those before. Between two pieces
    the event loop does other work.
    """
    response = web.StreamResponse(headers={**headers, "Content-Length": str(size)})
    await response.prepare(request)
    if request.method != "HEAD":
        connection = request.protocol
        for piece in pieces:
            await response.write(piece)
            if isinstance(connection, Connection):
                await connection.backlog.room()
    return response
