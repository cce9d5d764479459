"""Sockets and TLS towards an API server."""

import os
import socket
import ssl
import tempfile
from pathlib import Path

import aiohttp

from exporter.apiserver.credentials import Credentials
from exporter.apiserver.errors import CredentialsError

_KEEP_ALIVE = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))
"""A peer that is gone without a word is noticed after a minute, also in a quiet watch."""

Tls = ssl.SSLContext | bool
"""What aiohttp takes for it: True says nothing of our own."""
AddressInfo = tuple[
    int | socket.AddressFamily,
    int | socket.SocketKind,
    int,
    str,
    tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes],
]


def keep_alive(address: AddressInfo) -> socket.socket:
    """Return a socket that asks the peer for signs of life."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEP_ALIVE:
        made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made


async def once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """
    Have aiohttp send a request one time only.

    It sends those that may be repeated again, at once, when the connection breaks off: twice as
    many for a server that has trouble enough. An OSError it leaves alone.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionResetError(str(error) or "the connection broke off") from error


def ssl_context(credentials: Credentials) -> ssl.SSLContext:
    """
    Return how the server is to prove itself, and we ourselves. Reads and writes files.

    Raises:
        CredentialsError: If a certificate or a key is none.
    """
    try:
        context = ssl.create_default_context(cadata=credentials.ca)
        if credentials.certificate:
            pem = f"{credentials.certificate}\n{credentials.key or ''}"
            _load_client_certificate(context, pem)
    except (ssl.SSLError, ValueError) as error:
        msg = f"{credentials.origin}: the CA, the client certificate or its key is no PEM: {error}"
        raise CredentialsError(msg) from error
    if not credentials.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _load_client_certificate(context: ssl.SSLContext, pem: str) -> None:
    """Hand a certificate over; the ssl module takes it from a file only, which ours alone reads."""
    descriptor, name = tempfile.mkstemp(prefix="clusterset-exporter-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(pem)
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()
