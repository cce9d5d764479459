"""The exporter as a DNS and HTTP client: its source address, name servers, name and signature."""

import os
import time
from collections.abc import Awaitable, Callable, Sequence

from exporter import __version__
from exporter.model.clusterset import Address, ServiceName
from exporter.model.probes import Answer, Reply
from exporter.probe import http, tcp
from exporter.probe.http import Request
from exporter.probe.identity import NOWHERE, user_agent
from exporter.probe.plan import ProbePlan
from exporter.probe.probe import Target
from exporter.probe.resolve import Server, resolve
from exporter.probe.tcp import TcpRequest

OwnerOf = Callable[[ServiceName, Address], str | None]
"""Returns the cluster that an address of a service leads to, None if that is not known."""


class ProbeClient:
    """
    Resolves names and asks addresses as a plan says.

    Args:
        plan: Names the source address, the keys and the name servers.
        local: The cluster that this exporter runs in.
        owner_of: Says where a probe is sent to, because its signature covers that.
        servers: Name servers that are asked instead of those of the plan.
    """

    def __init__(
        self,
        plan: ProbePlan,
        local: str,
        owner_of: OwnerOf,
        servers: Sequence[Server] | None = None,
    ) -> None:
        self._source, self._local, self._owner_of = plan.source, local, owner_of
        self._key = plan.keys[0] if plan.keys else None
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
        service = target.question.service
        destination = self._owner_of(service, address) or NOWHERE

        def origin() -> str:
            return user_agent(
                self._local,
                service,
                destination=destination,
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
