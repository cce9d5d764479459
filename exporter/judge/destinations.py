"""Finds the cluster that a gateway of the local cluster sent a request to, by the address."""

from collections.abc import Callable
from functools import cached_property

from exporter.judge.attribute import Attribution, parse_address
from exporter.judge.claims import destination_claims
from exporter.model.clusterset import UNKNOWN, Address, Inventory, ServiceName

ExporterOf = Callable[[ServiceName, Address], str | None]


class Destinations:
    """
    Finds the cluster that an address leads to from the local cluster.

    Args:
        inventory: The clusterset as the local cluster sees it.
        owner_of: Returns the cluster that exports a service with an address, or did until lately.
    """

    def __init__(self, inventory: Inventory, owner_of: ExporterOf) -> None:
        self.inventory, self._owner_of = inventory, owner_of

    def cluster(self, service: ServiceName, server: str) -> str:
        """
        Return the cluster that requests of *service* reach at *server*; EXTERNAL if it is of none.

        It is UNKNOWN for a name or a socket, for the address of the service in all clusters, and
        for addresses that lead to another place in each host.
        """
        address, known = parse_address(server), self.inventory.services.get(service)
        if address is None or (known is not None and address in known.clusterset_ips):
            return UNKNOWN
        text = str(address)
        found = self._owner_of(service, address) or self._anywhere.source(text)
        spread = known is not None and known.karmada_endpoints and found == self.inventory.local
        if spread and self._clients.source(text) != found:
            # Karmada put endpoints of other clusters behind the Service here.
            return UNKNOWN
        return found

    # Made once it is needed: most exporters read no log of a gateway.
    @cached_property
    def _anywhere(self) -> Attribution:
        return Attribution(self.inventory, claimed=destination_claims)

    @cached_property
    def _clients(self) -> Attribution:
        return Attribution(self.inventory)
