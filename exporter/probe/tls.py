"""TLS over a probe's socket; each step is separate, so that it can be timed."""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from exporter.model.probes import Failure
from exporter.probe.certificate import certificate_end
from exporter.probe.drivers.waits import READ, Socket

_CHUNK = 64 << 10
_HAS_EXPIRED = 10
"""X509_V_ERR_CERT_HAS_EXPIRED."""
_DER = 2
"""_ssl.ENCODING_DER."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tls:
    """How a TLS connection is made."""

    context: ssl.SSLContext
    server_name: str | None = None
    """The name that the certificate must have; None for the host of the request."""


def tls_failure(error: ssl.SSLError) -> Failure:
    """Return the failure for an error of TLS."""
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_code == _HAS_EXPIRED:
        return Failure.TLS_EXPIRED
    return Failure.TLS_FAILED


def sent_certificates(tls: ssl.SSLObject) -> list[bytes]:
    """
    Return what the other side sent: its own certificate first, then those of its issuers, as DER.

    Python can tell the issuers since 3.10, and by its public interface since 3.13. Where it cannot,
    only the first one is returned.
    """
    public = getattr(tls, "get_unverified_chain", None)
    if public is not None:
        return list(public())
    private = getattr(getattr(tls, "_sslobj", None), "get_unverified_chain", None)
    if private is not None:
        return [each.public_bytes(_DER) for each in private() or ()]
    own = tls.getpeercert(binary_form=True)
    return [] if own is None else [own]


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
        self._unanswered = False
        """Something was sent, and nothing received after that."""
        self._in_a_row = 0
        """Bytes received since other work could run."""

    async def handshake(self) -> float | None:
        """
        Agree on keys; return when the first of the certificates ends that the other side sent.

        The last message of the handshake stays here until something is sent, in the same packet.
        """
        await self._until(self._tls.do_handshake)
        ends = [certificate_end(der) for der in sent_certificates(self._tls)]
        return min((end for end in ends if end is not None), default=None)

    async def send_all(self, data: bytes) -> None:
        """Send all of *data*."""
        await self._until(partial(self._tls.write, data))
        await self._flush()

    async def receive(self, size: int) -> bytes:
        """Return the bytes received, at most *size*; no bytes at the end."""
        if self._unanswered:
            # Without this, the first read could only fail, and an exception costs.
            await self._exchange()
        try:
            return await self._until(partial(self._tls.read, size))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            # Many servers close the connection without a TLS closing message.
            return b""

    async def _until(self, step: Callable[[], T]) -> T:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                await self._exchange()
            except ssl.SSLError:
                # Send the TLS alert, so that the other side learns the reason.
                with suppress(OSError):
                    await self._flush()
                raise

    async def _exchange(self) -> None:
        """Send what is to be sent, and receive the next bytes."""
        await self._flush()
        sock = self._sock
        if self._unanswered:
            # The answer cannot be here yet, so wait before the first read.
            self._unanswered, self._in_a_row, sock.wants = False, 0, READ
            await sock
        elif self._in_a_row >= _CHUNK:
            # A peer may send TLS messages without end: let other work run.
            self._in_a_row = 0
            await self.turn()
        part = await sock.receive(_CHUNK)
        if part:
            self._in_a_row += len(part)
            self._incoming.write(part)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._sock.send_all(self._outgoing.read())
            self._unanswered = True
