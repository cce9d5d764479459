"""Which part of the services one of several exporters of a cluster is for."""

from dataclasses import dataclass, replace
from zlib import crc32

from exporter.model.clusterset import Inventory, ServiceName

EXAMPLE = "write for example 0/3, the first of three, or auto in a StatefulSet"


@dataclass(frozen=True, slots=True)
class Shard:
    """One of *total* parts, the first is 0."""

    index: int
    total: int

    def holds(self, service: ServiceName) -> bool:
        """Say whether *service* is of this part."""
        return crc32(str(service).encode()) % self.total == self.index

    def of(self, inventory: Inventory) -> Inventory:
        """Return *inventory* with the services of this part only."""
        if self.total == 1:
            return inventory
        services = {name: each for name, each in inventory.services.items() if self.holds(name)}
        return replace(inventory, services=services)


ALL = Shard(0, 1)


def parse_shard(text: str) -> Shard:
    """
    Read a shard as `i/n`.

    Raises:
        ValueError: With what is wrong and what would work.
    """
    index, slash, total = text.partition("/")
    digits = index.isascii() and index.isdigit() and total.isascii() and total.isdigit()
    if not slash or not digits or not int(index) < int(total):
        msg = f"{text!r} is no shard; {EXAMPLE}"
        raise ValueError(msg)
    return Shard(int(index), int(total))


def ordinal(pod: str) -> tuple[str, int]:
    """
    Return the StatefulSet that *pod* is of, and its number there.

    Raises:
        ValueError: If the name has no number.
    """
    name, dash, number = pod.rpartition("-")
    if not dash or not name or not (number.isascii() and number.isdigit()):
        msg = f"pod {pod!r} is of no StatefulSet, so its shard cannot be told; {EXAMPLE}"
        raise ValueError(msg)
    return name, int(number)
