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
"""A peer that vanishes silently is noticed after a minute, also in a quiet watch."""

TlsOption = ssl.SSLContext | bool
"""The type of aiohttp's argument `ssl`; True means the default context."""
AddressInfo = tuple[
    int | socket.AddressFamily,
    int | socket.SocketKind,
    int,
    str,
    tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes],
]


def keep_alive(address: AddressInfo) -> socket.socket:
    """Return a socket that sends TCP keepalives."""
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
    Have aiohttp send a request only once.

    If a connection breaks, aiohttp repeats an idempotent request at once. That doubles the load of
    a server in trouble. It does not repeat a request after an OSError.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionResetError(str(error) or "the connection broke off") from error


def ssl_context(credentials: Credentials) -> ssl.SSLContext:
    """
    Return the TLS context with our certificate and the trusted CA. Reads and writes files.

    Raises:
        CredentialsError: If a certificate or a key is not valid.
    """
    try:
        context = ssl.create_default_context(cadata=credentials.ca)
        if credentials.certificate:
            pem = f"{credentials.certificate}\n{credentials.key or ''}"
            _load_client_certificate(context, pem)
    except (ssl.SSLError, ValueError) as error:
        msg = f"{credentials.origin}: the CA, the client certificate or its key is not PEM: {error}"
        raise CredentialsError(msg) from error
    if not credentials.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _load_client_certificate(context: ssl.SSLContext, pem: str) -> None:
    """Load a certificate through a file that only we can read: the ssl module needs a file."""
    descriptor, name = tempfile.mkstemp(prefix="clusterset-exporter-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(pem)
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()
