"""The exporter as a DNS and HTTP client: its source address, name servers, name and signature."""

import os
import time
from collections.abc import Awaitable, Sequence

from exporter import __version__
from exporter.model.clusterset import Address
from exporter.model.probes import Answer, Reply
from exporter.probe import http, tcp
from exporter.probe.http import Request
from exporter.probe.identity import user_agent
from exporter.probe.plan import ProbePlan
from exporter.probe.probe import Target
from exporter.probe.resolve import Server, resolve
from exporter.probe.tcp import TcpRequest


class ProbeClient:
    """
    Resolves names and asks addresses as a plan says.

    Args:
        plan: Names the source address, the key and the name servers.
        local: The cluster that this exporter runs in.
        servers: Name servers that are asked instead of those of the plan.
    """

    def __init__(
        self, plan: ProbePlan, local: str, servers: Sequence[Server] | None = None
    ) -> None:
        self._source, self._key, self._local = plan.source, plan.key, local
        self.servers = plan.resolvers if servers is None else servers
        """May be replaced at any time; the next look-up uses the new ones."""

    def resolve(self, target: Target, *, within: float) -> Awaitable[Answer]:
        """Look up the name of *target* in at most *within* seconds."""
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
        """Send *request* to *address* as a client of *target* would, with a signed User-Agent."""
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
