"""How this exporter asks: from its address, with its name and signature, of its name servers."""

import os
import time
from collections.abc import Awaitable, Sequence

from exporter import __version__
from exporter.commands.load import RuntimeConfig
from exporter.model.clusterset import Address
from exporter.model.probes import Answer, Reply
from exporter.probe import http, tcp
from exporter.probe.http import Request
from exporter.probe.identity import user_agent
from exporter.probe.probe import Target
from exporter.probe.resolve import Server, resolve
from exporter.probe.tcp import TcpRequest


class Prober:
    """
    Looks names up and asks addresses as a configuration says.

    Args:
        loaded: The configuration.
        local: The cluster that asks.
        servers: The name servers to ask instead of the configured ones; may be set anew.
    """

    def __init__(
        self, loaded: RuntimeConfig, local: str, servers: Sequence[Server] | None = None
    ) -> None:
        address = loaded.settings.probe.source_address
        self._source = None if address is None else address.address
        self.servers = loaded.resolvers if servers is None else servers
        self._local, self._key = local, loaded.key

    def resolve(self, target: Target, *, within: float) -> Awaitable[Answer]:
        """Look the name of *target* up."""
        return resolve(
            target.name,
            self.servers if target.server is None else (target.server,),
            within=within,
            source=self._source,
            record=target.question.record,
            lookup=target.lookup,
        )

    def get(
        self,
        address: Address,
        port: int,
        request: Request | TcpRequest,
        *,
        target: Target,
        within: float,
    ) -> Awaitable[Reply]:
        """Ask *address* as a client of *target* would, saying who asks."""
        if isinstance(request, TcpRequest):
            return tcp.probe_tcp(address, port, within=within, source=self._source)
        origin = user_agent(
            self._local,
            target.question.service,
            version=__version__,
            key=self._key,
            unix_ms=time.time_ns() // 1_000_000,
            nonce=os.urandom(6).hex(),
        )
        return http.get(
            address,
            port,
            request=request,
            name=target.name,
            user_agent=origin,
            within=within,
            source=self._source,
        )
