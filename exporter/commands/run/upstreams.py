"""Where gateways of this cluster sent requests, by the inventory in use."""

from collections.abc import Callable

from exporter.commands.run.monitor_settings import Current
from exporter.judge.destinations import Destinations
from exporter.judge.named_services import ServicesByName, named_service
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.model.clusterset import Address, ServiceName
from exporter.model.probes import Question


class Upstreams:
    """
    Attributes what gateways sent to clusters and services.

    Args:
        current: The settings in use.
        verdicts: Holds the inventory in use.
        clock: Returns seconds of the monotonic clock.
    """

    def __init__(
        self, current: Current, verdicts: ServiceVerdicts, clock: Callable[[], float]
    ) -> None:
        self._current, self._verdicts, self._clock = current, verdicts, clock
        self._destinations: Destinations | None = None

    def sent_to(
        self,
        host: str,
        server: str,
        fixed: ServiceName | None,
        names: ServicesByName,
        *,
        by_upstream: bool,
        by_route: bool = False,
    ) -> tuple[ServiceName, str, str, bool] | None:
        """
        Return the service that was asked for, where it was sent, and whether the host says so.

        Args:
            host: The host of the request, or the upstream's own name; empty if none was logged.
            server: The address of the server that was asked.
            fixed: The service that the log belongs to; None if *host* has to tell.
            names: Services by hosts, or by names of upstreams.
            by_upstream: Whether *host* is the name of an upstream.
            by_route: Whether HTTPRoutes and Ingresses tell the service of a host.

        Returns:
            The service, the local cluster, the cluster of the server or one of NOT_CLUSTERS, and
            whether *host* is pinned to that cluster; None if it is no known service.
        """
        inventory, domain = self._verdicts.inventory, self._current.settings.domain
        if inventory is None:
            return None
        asked = named_service(
            host, names, inventory, domain, by_upstream=by_upstream, by_route=by_route
        )
        if fixed is not None:
            asked = asked if asked is not None and asked.service == fixed else Question(fixed)
        if asked is None:
            return None
        known = self._destinations
        if known is None or known.inventory is not inventory:
            known = self._destinations = Destinations(inventory, self._owner)
        destination = known.cluster(asked.service, server)
        return asked.service, inventory.local, destination, asked.pinned == destination

    def _owner(self, service: ServiceName, address: Address) -> str | None:
        return self._verdicts.owner(service, address, self._clock())
