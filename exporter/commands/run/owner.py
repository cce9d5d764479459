"""Who owns an address that a probe was answered."""

from exporter.model.clusterset import UNKNOWN, Address, Inventory, ServiceName


def owner_of(inventory: Inventory | None, service: ServiceName, address: Address) -> str:
    """Return the cluster that exports *service* under *address*, else UNKNOWN."""
    found = None if inventory is None else inventory.services.get(service)
    return (found and found.owner_of(address)) or UNKNOWN
