"""How this exporter asks: from its address, with its name and signature, of its name servers."""

import secrets
import time
from collections.abc import Awaitable, Sequence

from exporter import __version__
from exporter.loading import Loaded
from exporter.model import Address, Answer, Question, Reply
from exporter.probe import http
from exporter.probe.http import Request
from exporter.probe.origin import user_agent
from exporter.probe.resolve import Server, resolve


class Prober:
    """
    Looks names up and asks addresses as a configuration says.

    Args:
        loaded: The configuration.
        local: The cluster that asks.
        servers: The name servers to ask instead of the configured ones.
    """

    def __init__(self, loaded: Loaded, local: str, servers: Sequence[Server] | None = None) -> None:
        address = loaded.settings.probe.source_address
        self._source = None if address is None else address.address
        self._servers = loaded.resolvers if servers is None else servers
        self._local, self._key = local, loaded.key

    def resolve(self, name: str, *, within: float) -> Awaitable[Answer]:
        """Look *name* up."""
        return resolve(name, self._servers, within=within, source=self._source)

    def get(
        self,
        address: Address,
        port: int,
        *,
        request: Request,
        name: str,
        within: float,
        question: Question,
    ) -> Awaitable[Reply]:
        """Ask *address* as a client of *name* would, saying who asks."""
        origin = user_agent(
            self._local,
            question.service,
            version=__version__,
            key=self._key,
            unix_ms=time.time_ns() // 1_000_000,
            nonce=secrets.token_hex(6),
        )
        return http.get(
            address,
            port,
            request=request,
            name=name,
            user_agent=origin,
            within=within,
            source=self._source,
        )
