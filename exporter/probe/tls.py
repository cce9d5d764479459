"""TLS over a probe's socket; each step is separate, so that it can be timed."""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from exporter.files.in_memory import in_memory
from exporter.files.regular import read_regular
from exporter.model.probes import Failure
from exporter.probe.certificate import certificate_end
from exporter.probe.drivers.waits import Socket

MAX_FILE = 4 << 20
"""Bytes of a certificate file. The CAs of a whole system take 250 KiB."""
_CHUNK = 64 << 10
_HAS_EXPIRED = 10
"""X509_V_ERR_CERT_HAS_EXPIRED."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tls:
    """How a TLS connection is made."""

    context: ssl.SSLContext
    server_name: str | None = None
    """The name that the certificate must have; None for the host of the request."""


def make_context(
    *, ca_file: Path | None, cert_file: Path | None, key_file: Path | None, verify: bool
) -> ssl.SSLContext:
    """
    Return the context of the connections of probes. Reads files.

    Raises:
        OSError: If a file cannot be read, which `filename` names, or holds no certificate or key
            (ssl.SSLError).
    """
    if ca_file is None:
        context = ssl.create_default_context()
    else:
        with in_memory(read_regular(ca_file, MAX_FILE)) as trusted:
            context = ssl.create_default_context(cafile=trusted)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert_file is not None:
        chain = read_regular(cert_file, MAX_FILE)
        key = chain if key_file is None else read_regular(key_file, MAX_FILE)
        with in_memory(chain) as chain_path, in_memory(key) as key_path:
            # With an empty password an encrypted key is an error. Without one, Python asks for it.
            context.load_cert_chain(chain_path, key_path, password="")
    return context


@lru_cache(1)
def blind_context() -> ssl.SSLContext:
    """Return a context that accepts any certificate, to inspect it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def tls_failure(error: ssl.SSLError) -> Failure:
    """Return the failure for an error of TLS."""
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_code == _HAS_EXPIRED:
        return Failure.TLS_EXPIRED
    return Failure.TLS_FAILED


class TlsStream:
    """
    TLS on a connected socket.

    Args:
        sock: The socket.
        context: The trusted CAs and our own certificate.
        server_name: Sent as SNI; if the context verifies, the certificate must have this name.
    """

    def __init__(self, sock: Socket, context: ssl.SSLContext, server_name: str) -> None:
        self._sock = sock
        # Without this, Nagle's algorithm delays our data until the previous data is acknowledged.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.turn = sock.turn
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)

    async def handshake(self) -> float | None:
        """Agree on keys; return when the other side's certificate ends."""
        await self._until(self._tls.do_handshake)
        der = self._tls.getpeercert(binary_form=True)
        return None if der is None else certificate_end(der)

    async def send_all(self, data: bytes) -> None:
        """Send all of *data*."""
        await self._until(lambda: self._tls.write(data))

    async def receive(self, size: int) -> bytes:
        """Return the bytes received, at most *size*; no bytes at the end."""
        try:
            return await self._until(lambda: self._tls.read(size))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            # Many servers close the connection without a TLS closing message.
            return b""

    async def _until(self, step: Callable[[], T]) -> T:
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self._flush()
                part = await self._sock.receive(_CHUNK)
                if part:
                    self._incoming.write(part)
                else:
                    self._incoming.write_eof()
                # A peer may send TLS messages without end: let other work run.
                await self.turn()
            except ssl.SSLError:
                # Send the TLS alert, so that the other side learns the reason.
                with suppress(OSError):
                    await self._flush()
                raise
            else:
                await self._flush()
                return result

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._sock.send_all(self._outgoing.read())
