"""The addresses and files of a clusterset on one machine."""

import random
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from exporter.model.clusterset import ServiceName
from exporter.model.probes import Question

SERVICE = ServiceName("nginx-test", "nginx")
DOMAIN = "clusterset.local"
SERVICE_PORT = 8080
EXPORTER_PORT = 9877
DNS_PORT = 10053
PROMETHEUS_PORT = 9090
_CLAIM_PORT = 7979
_TRIES = 100


class NoRoomError(Exception):
    """The machine has no free loopback addresses."""


@dataclass(frozen=True, slots=True)
class Site:
    """One cluster of the demo: 127.*net*.0.0/16, the lower half pods, the upper half services."""

    id: str
    net: int
    folder: Path

    @property
    def pods(self) -> str:
        """Return the network of the pods."""
        return f"127.{self.net}.0.0/17"

    @property
    def services(self) -> str:
        """Return the network of the services."""
        return f"127.{self.net}.128.0/17"

    @property
    def client(self) -> str:
        """Return the address of the client pod."""
        return f"127.{self.net}.108.64"

    @property
    def exporter(self) -> str:
        """Return the address that the exporter serves on and probes from."""
        return f"127.{self.net}.0.2"

    @property
    def service(self) -> str:
        """Return the address of the service, on which nginx listens."""
        return f"127.{self.net}.200.10"

    @property
    def dns(self) -> str:
        """Return the address of the name server."""
        return f"127.{self.net}.128.53"

    @property
    def url(self) -> str:
        """Return where the exporter's status page is."""
        return f"http://{self.exporter}:{EXPORTER_PORT}/"

    @property
    def inventory(self) -> Path:
        """Return the inventory as this cluster sees it."""
        return self.folder / "inventory.yaml"

    @property
    def exporter_log(self) -> Path:
        """Return what the exporter writes to standard error."""
        return self.folder / "exporter.log"

    @property
    def access_log(self) -> Path:
        """Return nginx's log."""
        return self.folder / "access.log"


@contextmanager
def claim(ids: list[str], folder: Path) -> Iterator[list[Site]]:
    """
    Yield a site for each of *ids*, on networks that no other demo on this machine has.

    Raises:
        NoRoomError: If there are none, as on systems whose only loopback address is 127.0.0.1.
    """
    for _ in range(_TRIES):
        net = random.randrange(16, 250)  # noqa: S311 - no secret
        with socket.socket() as held:
            try:
                # The process that listens here owns this network and the next ones.
                held.bind((f"127.{net - net % 4}.255.254", _CLAIM_PORT))
            except OSError as error:
                failure = error
                continue
            yield [Site(id_, net - net % 4 + n, folder / id_) for n, id_ in enumerate(ids)]
            return
    msg = f"no free network in 127.0.0.0/8, which this needs to be all loopback: {failure}"
    raise NoRoomError(msg)


@dataclass(slots=True)
class Situation:
    """Which clusters are ready and connected now; each site reads it as an inventory."""

    sites: list[Site]
    unready: set[str] = field(default_factory=set)
    cut_off: set[str] = field(default_factory=set)

    def write(self) -> None:
        """Write each site's inventory; a reader sees the old one or the new one."""
        for site in self.sites:
            fresh = site.inventory.with_suffix(".new")
            fresh.write_text(yaml.safe_dump(self._inventory(site), sort_keys=False))
            fresh.replace(site.inventory)

    def _inventory(self, seen_from: Site) -> Mapping[str, Any]:
        return {
            "clusters": [
                {
                    "id": site.id,
                    "pod_cidrs": [site.pods],
                    "service_cidrs": [site.services],
                    "connected": site is seen_from or not {site.id, seen_from.id} & self.cut_off,
                }
                for site in self.sites
            ],
            "services": [
                {
                    "namespace": SERVICE.namespace,
                    "name": SERVICE.name,
                    "ports": [{"name": "http", "port": SERVICE_PORT}],
                    "exports": [
                        {
                            "cluster": site.id,
                            "addresses": [site.service],
                            "ready": site.id not in self.unready,
                        }
                        for site in self.sites
                    ],
                }
            ],
        }


def clusterset_name() -> str:
    """Return the name that the demo's clients ask for."""
    return Question(SERVICE).dns_name(DOMAIN)
