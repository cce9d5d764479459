"""The part of the services that one of several exporters of a cluster is responsible for."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from zlib import crc32

from exporter.apiserver.errors import ApiError
from exporter.config.yaml_reader import SettingsError
from exporter.model.clusterset import Inventory, ServiceName

if TYPE_CHECKING:
    from exporter.apiserver.client import ApiClient

EXAMPLE = "write for example 0/3, the first of three, or auto in a StatefulSet"


@dataclass(frozen=True, slots=True)
class Shard:
    """One of *total* parts, the first is 0."""

    index: int
    total: int

    def holds(self, service: ServiceName) -> bool:
        """Return whether *service* belongs to this part."""
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
        msg = f"{text!r} is not a shard; {EXAMPLE}"
        raise ValueError(msg)
    return Shard(int(index), int(total))


def ordinal(pod: str) -> tuple[str, int]:
    """
    Return the StatefulSet that *pod* belongs to, and its number there.

    Raises:
        ValueError: If the name has no number.
    """
    name, dash, number = pod.rpartition("-")
    if not dash or not name or not (number.isascii() and number.isdigit()):
        msg = f"pod {pod!r} does not belong to a StatefulSet, so its shard is unknown; {EXAMPLE}"
        raise ValueError(msg)
    return name, int(number)


async def own_shard(client: "ApiClient", pod: str) -> Shard:
    """
    Return the part of the services that the pod of a StatefulSet is responsible for.

    Args:
        client: An open client of the local cluster's API server.
        pod: The name of our own pod.

    Raises:
        SettingsError: If the pod has no number, or the API server does not say how many there are.
    """
    try:
        name, number = ordinal(pod)
        path = f"/apis/apps/v1/namespaces/{client.namespace}/statefulsets/{name}"
        total = (await client.read(path))["spec"].get("replicas", 1)
        return Shard(number, max(int(total), number + 1))
    except (ApiError, ValueError, KeyError, TypeError) as error:
        msg = f"--shard auto: {error}"
        raise SettingsError(msg) from error
